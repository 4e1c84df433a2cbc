
"use strict";
/*
 * What the daemon says is shown as text, never as markup: names of credentials, reasons and alarms
 * come from outside.
 */
const EVERY_MS = 5000, PATIENCE_MS = 10000;
const SLOTS = {hour: 60, day: 96};
const NEVER = 1e11;	/* seconds: a key has no end */
const SVG = "http://www.w3.org/2000/svg";
let last = null;	/* the last answer, and by our clock when it came */
let cameMs = 0;
let timer = 0;

const byId = id => document.getElementById(id);

function make(name, attributes, ...inside) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {}))
		element.setAttribute(key, value);
	element.append(...inside.filter(one => one !== null));
	return element;
}

function shape(name, attributes) {
	const element = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	return element;
}

/* What has not changed is not touched: a screen reader says it once, and a selection stays. */
function put(id, ...inside) {
	const fresh = byId(id).cloneNode(false);
	fresh.append(...inside);
	if (!fresh.isEqualNode(byId(id)))
		byId(id).replaceChildren(...fresh.childNodes);
}

/* ---- words ---- */

const count = n => n.toLocaleString("en");
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

function span(seconds) {
	for (const [name, size] of [["day", 86400], ["h", 3600], ["min", 60]])
		if (seconds >= size) {
			const n = Math.floor(seconds / size);
			return name === "day" ? plural(n, "day", "days") : `${n} ${name}`;
		}
	return `${Math.max(0, Math.floor(seconds))} s`;
}

function took(seconds) {
	if (seconds < 0.0095)
		return `${(seconds * 1000).toFixed(1)} ms`;
	if (seconds < 0.9995)
		return `${Math.round(seconds * 1000)} ms`;
	return seconds < 59.95 ? `${seconds.toFixed(1)} s` : span(seconds);
}

/* By the daemon's clock, whatever the one here says. */
const nowThere = () => last.now + (Date.now() - cameMs) / 1000;

function ago(unix) {
	const seconds = nowThere() - unix;
	return make("time", {datetime: new Date(unix * 1000).toISOString(), title: stamp(unix)},
		seconds < 5 ? "just now" : `${span(seconds)} ago`);
}

const stamp = unix => new Date(unix * 1000).toLocaleString("sv", {dateStyle: "short", timeStyle: "short"});
const clock = ms => new Date(ms).toLocaleTimeString("en-GB");

function perMinute(rate) {
	const n = rate * 60;
	return n > 0 && n < 10 ? n.toFixed(1) : count(Math.round(n));
}

/* ---- charts ---- */

function bar(box, x, from, to, kind) {
	if (to > from)
		box.append(shape("rect", {class: kind, x: x + 0.12, width: 0.76, y: 100 - to,
			height: to - from}));
}

/* The ground shows since when the daemon runs. */
function chart(label, first, all) {
	const box = shape("svg", {viewBox: `0 0 ${all} 100`, preserveAspectRatio: "none", role: "img",
		"aria-label": label});
	box.append(shape("rect", {class: "ground", x: first, width: all - first, y: 0, height: 100}));
	return box;
}

/* Each series lies on the one before; what is not nothing is seen. */
function bars(label, all, series, kinds) {
	const first = all - series[0].length;
	const box = chart(label, first, all);
	const sums = series[0].map((_, i) => series.reduce((sum, one) => sum + one[i], 0));
	const most = Math.max(1, ...sums);
	sums.forEach((_, i) => {
		let from = 0;
		series.forEach((one, k) => {
			const height = one[i] ? Math.max(3, one[i] / most * 100) : 0;
			bar(box, first + i, from, Math.min(100, from + height), kinds[k]);
			from += height;
		});
	});
	return box;
}

/* A line where values follow each other, a dot where one stands alone. */
function lines(label, all, series, kinds) {
	const first = all - series[0].length;
	const box = chart(label, first, all);
	const most = Math.max(...series.flat().filter(value => value !== null), 1e-6);
	series.forEach((one, k) => {
		let path = "";
		one.forEach((value, i) => {
			if (value === null)
				return;
			const at = `${first + i + 0.5} ${(96 - value / most * 90).toFixed(2)}`;
			const isAlone = one[i - 1] === undefined || one[i - 1] === null;
			path += isAlone ? `M${at}L${at}` : `L${at}`;
		});
		if (path)
			box.append(shape("path", {class: kinds[k], d: path}));
	});
	return box;
}

function figure(name, text, box, begin) {
	return make("figure", {}, make("figcaption", {}, make("b", {}, name), make("span", {}, text)), box,
		make("div", {class: "axis"}, make("span", {}, begin), make("span", {}, "now")));
}

const PERIODS = [["hour", "Last hour", "60 min ago", "a minute"], ["day", "Last day", "24 h ago", "in 15 min"]];
const total = values => values.reduce((sum, value) => sum + value, 0);

function eventsCard(history) {
	return make("section", {class: "card"}, make("h2", {}, "Events"),
		make("p", {class: "key"}, make("span", {class: "is-blue"}, "from the mail server")),
		...PERIODS.map(([key, name, begin, unit]) => {
			const {events} = history[key];
			const text = `${count(total(events))}, peak ${count(Math.max(...events))} ${unit}`;
			return figure(name, text, bars(`Events, ${name.toLowerCase()}: ${text}`, SLOTS[key],
				[events], ["blue"]), begin);
		}));
}

function pushesCard(history) {
	return make("section", {class: "card"}, make("h2", {}, "Pushes"),
		make("p", {class: "key"}, make("span", {class: "is-blue"}, "taken by Apple"),
			make("span", {class: "is-bad"}, "not taken")),
		...PERIODS.map(([key, name, begin]) => {
			const {taken, failed} = history[key];
			const text = `${count(total(taken))} taken, ${count(total(failed))} not`;
			return figure(name, text, bars(`Pushes, ${name.toLowerCase()}: ${text}`, SLOTS[key],
				[taken, failed], ["blue", "bad"]), begin);
		}));
}

function latencyCard(history) {
	return make("section", {class: "card"}, make("h2", {}, "Latency"),
		make("p", {class: "key"}, make("span", {class: "is-blue"}, "new mail to push"),
			make("span", {class: "is-violet"}, "Apple’s answer")),
		...PERIODS.map(([key, name, begin]) => {
			const {event_to_push: pushed, answered} = history[key];
			const known = [...pushed, ...answered].filter(value => value !== null);
			const text = known.length ? `95 % within ${took(Math.max(...known))}` : "no pushes";
			return figure(name, text, lines(`Latency, ${name.toLowerCase()}: ${text}`, SLOTS[key],
				[pushed, answered], ["first", "second"]), begin);
		}));
}

/* ---- parts ---- */

function pair(name, value) {
	return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}

function credential(one) {
	const days = Math.floor((one.expires - nowThere()) / 86400);
	const open = (one.connections || []).filter(link => link.state === "open").length;
	const trouble = one.error || one.trouble;
	let state = "not in use";
	if (one.in_force)
		state = one.held ? "held back" : trouble ? "in trouble" : open ? "connected" : "ready";
	let left = null;
	if (one.expires < NEVER)
		left = days < 0 ? "expired" : `${plural(days, "day", "days")} left`;
	return make("li", {},
		make("div", {class: "head"}, make("b", {}, one.name),
			left && make("span", {class: days < 30 ? "is-wrong" : "is-right"}, left)),
		make("p", {class: "soft"}, one.topic ? `${state} · ${one.topic}` : state),
		trouble ? make("p", {class: "is-wrong"}, trouble) : null);
}

const ENDINGS = {lost: "no answer: connection lost", silent: "no answer in time"};

function failure(one) {
	const name = one.kind === "connection" ? `Credential ${one.credential}`
		: ENDINGS[one.result] || `${one.status} ${one.reason || "without a reason"}`;
	return make("li", {},
		make("div", {class: "head"}, make("b", {}, name),
			make("span", {class: "soft"}, one.times > 1 ? `${count(one.times)} times, last ` : "", ago(one.time))),
		make("p", {}, one.meaning),
		one.user === undefined ? null : make("p", {class: "soft"}, `user ${one.user}`));
}

function alarm(one) {
	return make("li", {}, make("p", {}, one.text),
		make("p", {class: "soft"}, `${one.name}, since ${stamp(one.since)}`));
}

function list(id, rows, none) {
	put(id, ...(rows.length ? rows : [make("li", {class: "soft"}, none)]));
}

function health(kind, words, advice) {
	byId("health").className = kind;
	put("verdict", words);
	put("advice", advice);
	const colour = {good: "%2314a050", odd: "%23e0a100", bad: "%23d93025", unknown: "%23808a96"}[kind];
	const icon = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'>" +
		`<circle cx='4' cy='4' r='3.5' fill='${colour}'/></svg>`;
	if (byId("icon").href !== icon)
		byId("icon").href = icon;
	document.title = `${words} · mailpush${last && last.site ? ` ${last.site}` : ""}`;
}

function registryRows(registry) {
	const state = registry.connected === null ? "not asked yet" : registry.connected ? "connected" : "away";
	return [pair("events parked for the registry", count(registry.parked)),
		registry.since ? pair(`registry ${state}`, ago(registry.since)) : pair("registry", state)];
}

function show() {
	const {queue, registrations, registry, rates, events, pushes, history} = last;
	put("site", last.site);
	put("about", `version ${last.version}, started `, ago(last.started));
	put("figures",
		pair("phones pushed to", count(registrations.active + registrations.superseded)),
		pair("phones stopped", count(registrations.stopped)),
		pair("pushes waiting", count(queue.pushes)),
		pair("events a minute", perMinute(rates.events)),
		pair("pushes a minute", perMinute(rates.pushes)));
	put("charts", eventsCard(history), pushesCard(history), latencyCard(history));
	list("credentials", last.credentials.map(credential), "none: nothing can be pushed");
	put("queue",
		pair("pushes not due yet", count(queue.waiting)),
		pair("pushes on their way", count(queue.in_flight)),
		pair("pushes not on disk yet", count(queue.storing)),
		pair("changed mailboxes", count(queue.mailboxes)),
		pair("oldest change", queue.oldest ? ago(queue.oldest) : "none"),
		pair("events on their way in", count(events.waiting)),
		...registryRows(registry),
		pair("events since the start", count(events.total)),
		pair("pushes since the start", count(pushes.total)));
	list("failures", last.failures.map(failure), "none since the start");
	put("alarms", ...last.alarms.map(alarm));
	if (last.alarms.length)
		health("bad", last.alarms.length === 1 ? "Something needs you" : `${last.alarms.length} things need you`, "");
	else if (registrations.stopped)
		health("odd", `All is well, except for ${plural(registrations.stopped, "phone", "phones")}`,
			"Events are taken in, and phones get pushes, except those that are stopped: Apple said that their token is not for the topic. A phone gets pushes again once Mail is opened on it; mailpushctl devices lists them.");
	else
		health("good", "All is well", "Events are taken in, and phones get pushes.");
	put("updated", `Live; last asked at ${clock(cameMs)}.`);
	document.body.classList.remove("stale");
	byId("data").hidden = false;
}

/* What stands there stays, and is said to be old. */
function unreachable(why) {
	const since = last ? ` What stands below is of ${clock(cameMs)}.` : "";
	health("unknown", "mailpushd cannot be reached",
		`It is asked again every few seconds: ${why}.${since} To see whether it runs: systemctl status mailpush`);
	document.body.classList.add("stale");
}

/* ---- asking ---- */

/* Controls, and what turns the direction of writing around for the text that follows. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const seen = (key, value) => typeof value === "string" ? value.replace(UNSEEN, "\ufffd") : value;

/* Why there is no answer; "" if there is. */
async function fetched() {
	try {
		const answer = await fetch("status-page.json",
			{cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
		if (!answer.ok)
			return `the answer is ${answer.status}`;
		last = JSON.parse(await answer.text(), seen);
		cameMs = Date.now();
		return "";
	} catch (error) {
		return error.name === "TimeoutError" ? "no answer in time" : "no connection";
	}
}

async function ask() {
	clearTimeout(timer);
	const why = await fetched();
	if (why)
		unreachable(why);
	else
		show();
	clearTimeout(timer);
	/* A page that nobody sees asks nothing. */
	if (!document.hidden)
		timer = setTimeout(ask, EVERY_MS);
}

document.addEventListener("visibilitychange", () => document.hidden || ask());
ask();
