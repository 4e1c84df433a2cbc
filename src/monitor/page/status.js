const EVERY_MS = 5000;
const SLOTS = {hour: 60, day: 96};
const NEVER = 1e11;	/* seconds: a key has no end */
const SVG = "http://www.w3.org/2000/svg";
let last = null;	/* the last answer, and by our clock when it came */
let cameMs = 0;
let timer = 0;

function shape(name, attributes) {
	const element = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	return element;
}

/* ---- words ---- */

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

const clock = ms => new Date(ms).toLocaleTimeString("en-GB");

/* Of tiles and charts alike: a minute. */
const rate = n => count(n < 9.95 ? Math.round(n * 10) / 10 : Math.round(n));

/* ---- charts ---- */

/* What the top of the axis says: at least `most`, and its half is a plain number too. */
function roundUp(most) {
	const ten = 10 ** Math.floor(Math.log10(most));
	return [1, 2, 4, 6, 8, 10].map(n => n * ten).find(n => n >= most * 0.999999);
}

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
	for (const y of [0, 50])
		box.append(shape("path", {class: "grid", d: `M0 ${y}H${all}`}));
	return box;
}

/* Each series lies on the one before; what is not nothing is seen. */
function bars(label, all, series, kinds, top) {
	const first = all - series[0].length;
	const box = chart(label, first, all);
	series[0].forEach((_, i) => {
		let from = 0;
		series.forEach((one, k) => {
			const height = one[i] ? Math.max(3, one[i] / top * 100) : 0;
			bar(box, first + i, from, Math.min(100, from + height), kinds[k]);
			from += height;
		});
	});
	return box;
}

/* A line where values follow each other, a dot where one stands alone. */
function lines(label, all, series, kinds, top) {
	const first = all - series[0].length;
	const box = chart(label, first, all);
	series.forEach((one, k) => {
		let path = "";
		one.forEach((value, i) => {
			if (value === null)
				return;
			const at = `${first + i + 0.5} ${(100 - value / top * 100).toFixed(2)}`;
			const isAlone = one[i - 1] === undefined || one[i - 1] === null;
			path += isAlone ? `M${at}L${at}` : `L${at}`;
		});
		if (path)
			box.append(shape("path", {class: kinds[k], d: path}));
	});
	return box;
}

/* `ticks`: of the axis, from its top. */
function figure(name, text, box, begin, ticks) {
	return make("figure", {}, make("figcaption", {}, make("b", {}, name), make("span", {}, text)),
		make("div", {class: "plot"},
			make("div", {class: "ticks", "aria-hidden": "true"}, ...ticks.map(tick => make("span", {}, tick))),
			box),
		make("div", {class: "axis"}, make("span", {}, begin), make("span", {}, "now")));
}

const PERIODS = [["hour", "Last hour", "60 min ago"], ["day", "Last day", "24 h ago"]];
const total = values => values.reduce((sum, value) => sum + value, 0);

/* Counts of buckets, as a minute. */
function rates(label, history, key, names, kinds, begin, name, text) {
	const minutes = history[key].seconds / 60;
	const series = names.map(one => history[key][one].map(n => n / minutes));
	const most = Math.max(...series[0].map((_, i) => total(series.map(one => one[i]))));
	const top = roundUp(Math.max(1, most));
	const words = text(most);
	return figure(name, words, bars(`${label}, ${name.toLowerCase()}: ${words}`, SLOTS[key], series, kinds, top),
		begin, [rate(top), rate(top / 2), "0"]);
}

function eventsCard(history) {
	return make("section", {class: "card"}, make("h2", {}, "Events a minute"),
		make("p", {class: "key"}, make("span", {class: "is-blue"}, "from the mail server")),
		...PERIODS.map(([key, name, begin]) => rates("Events", history, key, ["events"], ["blue"], begin, name,
			most => `${count(total(history[key].events))}, peak ${rate(most)} a minute`)));
}

function pushesCard(history) {
	return make("section", {class: "card"}, make("h2", {}, "Pushes a minute"),
		make("p", {class: "key"}, make("span", {class: "is-blue"}, "taken by Apple"),
			make("span", {class: "is-bad"}, "not taken")),
		...PERIODS.map(([key, name, begin]) => rates("Pushes", history, key, ["taken", "failed"], ["blue", "bad"],
			begin, name,
			() => `${count(total(history[key].taken))} taken, ${count(total(history[key].failed))} not`)));
}

function latencyCard(history) {
	return make("section", {class: "card"}, make("h2", {}, "Latency"),
		make("p", {class: "key"}, make("span", {class: "is-blue"}, "new mail to push"),
			make("span", {class: "is-violet"}, "Apple’s answer")),
		...PERIODS.map(([key, name, begin]) => {
			const {event_to_push: pushed, answered} = history[key];
			const known = [...pushed, ...answered].filter(value => value !== null);
			const most = Math.max(...known, 1e-6);
			const text = known.length ? `95 % within ${took(most)}` : "no pushes";
			const top = known.length ? roundUp(most) : 0;
			return figure(name, text, lines(`Latency, ${name.toLowerCase()}: ${text}`, SLOTS[key],
				[pushed, answered], ["first", "second"], top), begin,
				top ? [took(top), took(top / 2), "0"] : ["", "", "0"]);
		}));
}

/* ---- parts ---- */

function pair(name, value, kind) {
	return make("div", kind ? {class: kind} : {}, make("dt", {}, name), make("dd", {}, value));
}

function credential(one) {
	const days = Math.floor((one.expires - nowThere()) / 86400);
	const open = (one.connections || []).filter(link => link.state === "open").length;
	const trouble = one.error || one.trouble;
	let state = "not in use";
	if (one.in_force)
		state = one.held ? "held back" : trouble ? "in trouble" : open ? "connected" : "ready";
	const isWell = one.in_force && !one.held && !trouble;
	let left = null;
	if (one.expires < NEVER)
		left = days < 0 ? "expired" : `${plural(days, "day", "days")} left`;
	return make("li", {},
		make("div", {class: "head"}, make("b", {}, one.name),
			left && make("span", {class: days < 30 ? "is-wrong" : isWell ? "is-right" : "soft"}, left)),
		make("p", {class: "soft"}, make("span", {class: isWell ? "is-right" : "is-wrong"}, state),
			one.topic ? ` · ${one.topic}` : ""),
		trouble ? make("p", {class: "is-wrong"}, trouble) : null);
}

const ENDINGS = {lost: "no answer: connection lost", silent: "no answer in time"};

/* The part of the page that explains a failure. */
function explained(one) {
	if (one.kind === "connection")
		return "means-connection";
	if (one.result !== "answered")
		return "means-silent";
	if (one.status === 400)
		return {BadDeviceToken: "means-token", DeviceTokenNotForTopic: "means-phone-topic",
			TopicDisallowed: "means-credential", BadTopic: "means-credential"}[one.reason] || "means-other";
	if (one.status >= 500)
		return "means-busy";
	return {403: "means-credential", 410: "means-gone", 429: "means-often"}[one.status] || "means-other";
}

function failure(one) {
	const name = one.kind === "connection" ? `Credential ${one.credential}`
		: ENDINGS[one.result] || `${one.status} ${one.reason || "without a reason"}`;
	return make("li", {},
		make("div", {class: "head"}, make("b", {}, make("a", {href: `#${explained(one)}`}, name)),
			make("span", {class: "soft"}, one.times > 1 ? `${count(one.times)} times, last ` : "", ago(one.time))),
		make("p", {}, one.meaning),
		one.user === undefined ? null : make("p", {class: "soft"}, `user ${one.user}`));
}

function alarm(one) {
	return make("li", {}, make("p", {}, one.text), make("p", {class: "remedy"}, one.remedy),
		make("p", {class: "soft"}, `${one.name}, since ${stamp(one.since)}`));
}

/* What waits for the end of these alarms.  A topic counts once, whatever holds its phones up. */
function waiting(silencing) {
	const topics = new Map();
	let events = 0;
	for (const {silences} of silencing) {
		if (silences.phones !== undefined)
			topics.set(silences.topic, silences.phones);
		events = Math.max(events, silences.events || 0);
	}
	const phones = topics.get(undefined) || total([...topics.values()]);
	const parts = [];
	if (phones)
		parts.push(`${count(phones)} ${phones === 1 ? "waits" : "wait"}`);
	if (events)
		parts.push(plural(events, "event waits", "events wait"));
	return parts.length ? `: ${parts.join(" and ")}` : "";
}

function at(unix) {
	const text = stamp(unix), today = stamp(nowThere());
	return text.slice(0, 10) === today.slice(0, 10) ? text.slice(11) : text;
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

function registryRow(registry) {
	const state = registry.connected === null ? "not asked yet" : registry.connected ? "connected" : "away";
	return registry.since ? pair(`registry ${state}`, ago(registry.since)) : pair("registry", state);
}

function showFigures() {
	const {queue, registrations, rates: now, last: latest} = last;
	put("figures",
		pair("phones registered", registrations.total === null ? "not known" : count(registrations.total)),
		...(registrations.stopped ? [pair("phones stopped", count(registrations.stopped), "is-odd")] : []),
		pair("phones waiting", count(queue.pushes)),
		pair("last event", latest.event ? ago(latest.event) : "none yet"),
		pair("last push", latest.push ? ago(latest.push) : "none yet"),
		pair("events a minute", rate(now.events * 60)),
		pair("pushes a minute", rate(now.pushes * 60)));
}

/* What is nothing is folded away. */
function showQueue() {
	const {queue, registry, events, pushes} = last;
	const counts = [
		["pushes not due yet", queue.waiting], ["pushes on their way", queue.in_flight],
		["pushes not on disk yet", queue.storing], ["changed mailboxes", queue.mailboxes],
		["events on their way in", events.waiting], ["events parked for the registry", registry.parked],
		["events since the start", events.total], ["pushes since the start", pushes.total]];
	const zeros = counts.filter(([, n]) => !n);
	put("queue",
		...(queue.oldest ? [pair("oldest change", ago(queue.oldest))] : []),
		...counts.filter(([, n]) => n).map(([name, n]) => pair(name, count(n))),
		registryRow(registry));
	put("queue-zeros", ...zeros.map(([name]) => pair(name, "0")));
	put("zeros-title", `${zeros.length} more ${zeros.length === 1 ? "is" : "are"} 0`);
	byId("zeros").hidden = !zeros.length;
}

function showHealth() {
	const {alarms, registrations} = last;
	const silencing = alarms.filter(one => one.silences).sort((a, b) => a.since - b.since);
	const others = alarms.filter(one => !one.silences);
	put("alarms", ...silencing.map(alarm), ...others.map(alarm));
	if (silencing.length)
		health("bad", `Phones are silent${waiting(silencing)} since ${at(silencing[0].since)}`,
			"Why, and what to do:");
	else if (alarms.length)
		health("bad", alarms.length === 1 ? "Something needs you" : `${alarms.length} things need you`, "");
	else if (registrations.stopped)
		health("odd", `All is well, except for ${plural(registrations.stopped, "phone", "phones")}`,
			"Events are taken in, and phones get pushes, except those that are stopped: Apple said that their token is not for the topic. A phone gets pushes again once Mail is opened on it; mailpushctl devices lists them.");
	else
		health("good", "All is well", "Events are taken in, and phones get pushes.");
}

function show() {
	put("site", last.site);
	put("about", `version ${last.version}, started `, ago(last.started));
	byId("phones-link").hidden = !last.phones;
	showFigures();
	list("failures", last.failures.map(failure), "none since the start");
	list("credentials", last.credentials.map(credential), "none: nothing can be pushed");
	put("charts", eventsCard(last.history), pushesCard(last.history), latencyCard(last.history));
	showQueue();
	showHealth();
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

/* Why there is no answer; "" if there is. */
async function fetched() {
	try {
		const answer = await fetch(beside("status-page.json"),
			{cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
		if (!answer.ok)
			return `the answer is ${answer.status}`;
		last = JSON.parse(await answer.text(), (_, value) => clean(value));
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
