/* What is shown is in the fragment of the address, "#begins=al" or "#user=alice": one can go back. */
const PAGE = 50;
const STATES = {active: "is-right", superseded: "soft", suspended: "soft", stopped: "is-wrong"};
const GOOD = {done: "is-right"};
const WRONG = new Set(["forgotten", "suspended", "gap"]);
let turn = 0;	/* of asking: an answer that comes late is not shown */

const second = unix => new Date(unix * 1000).toLocaleString("sv", {dateStyle: "short", timeStyle: "medium"});
const link = (words, parameters) => make("a", {href: `#${new URLSearchParams(parameters)}`}, words);

async function load(path, parameters) {
	const answer = await fetch(beside(`${path}?${new URLSearchParams(parameters)}`),
		{cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
	let body = {};
	try {
		body = await answer.json();
	} catch {
		/* A web server in front may answer in its own way. */
	}
	if (!answer.ok)
		throw new Error(body.error || `the answer is ${answer.status}`);
	return body;
}

/* ---- phones ---- */

function lastPush(push) {
	if (!push)
		return "no push yet";
	const when = push.time ? ` ${stamp(push.time)}` : "";
	return push.status === 200 ? `last push${when}` : `last push${when}: ${push.status || "no answer"} ${push.reason}`;
}

function phone(one, isAlone) {
	const words = [`token ${one.token}`, plural(one.mailboxes.length, "mailbox", "mailboxes"),
		`renewed ${stamp(one.renewed)}`, lastPush(one.last_push)];
	if (one.last_event)
		words.push(`last event ${stamp(one.last_event)}`);
	if (one.queue)
		words.push(`a push is ${one.queue === "flying" ? "on its way" : one.queue}`);
	if (!one.push)
		words.push("user_settings: no pushes");
	const why = one.stopped_reason || (one.last_push && one.last_push.status !== 200 && one.last_push.meaning);
	return make("li", {},
		make("div", {class: "head"}, make("b", {}, isAlone ? one.user : link(one.user, {user: one.user})),
			make("span", {class: STATES[one.state] || "soft"}, one.state)),
		make("p", {class: "soft"}, words.join(" · ")),
		isAlone ? make("p", {class: "soft"}, one.mailboxes.join(", ")) : null,
		why ? make("p", {class: "is-wrong"}, why) : null);
}

async function showList(begins, after, isCurrent) {
	const parameters = {limit: PAGE};
	if (after.get("after_user") !== null)
		Object.assign(parameters, {after_user: after.get("after_user"), after_key: after.get("after_key") || ""});
	else if (begins)
		parameters.after_user = begins;
	const {devices, next} = await load("devices", parameters);
	if (!isCurrent())
		return;
	const found = devices.filter(one => one.user.startsWith(begins));
	const hasMore = next && next.user.startsWith(begins);
	put("phones", ...found.map(one => phone(one, false)));
	put("more", hasMore ? link(`the next ${PAGE}`, {begins, after_user: next.user, after_key: next.key}) : "");
	if (found.length || after.get("after_user"))
		say("");
	else if (begins)
		say(`No phone is registered of a user whose name begins with ${begins}. If that is the whole name, what happened with the phones before is in `,
			link(`the timeline of ${begins}`, {user: begins}), ".");
	else
		say("No phone is registered.");
	byId("list").hidden = !found.length;
	byId("timeline").hidden = true;
}

/* ---- a user's timeline ---- */

/* What something means is said where it happened last. */
function entry(one, i, newestFirst) {
	const kind = one.kind === "push" ? GOOD[one.what] || "is-wrong" : WRONG.has(one.kind) ? "is-wrong" : "";
	const words = [];
	if (one.token)
		words.push(`token ${one.token}`);
	if (one.due)
		words.push(`due ${second(one.due)}`);
	if (one.sent)
		words.push(`sent ${second(one.sent)}`);
	if (one.left_out)
		words.push(`${count(one.left_out)} more before it left out`);
	return make("li", {},
		make("div", {class: "head"}, make("b", {class: kind}, one.text),
			make("time", {class: "soft", datetime: new Date(one.time * 1000).toISOString()}, second(one.time))),
		words.length ? make("p", {class: "soft"}, words.join(" · ")) : null,
		one.meaning && newestFirst.findIndex(other => other.meaning === one.meaning) === i
			? make("p", {}, one.meaning) : null);
}

function gaps(answer) {
	const words = [];
	if (answer.cut)
		words.push("Earlier entries are too many to be shown.");
	if (answer.left_out)
		words.push(`${plural(answer.left_out, "entry is", "entries are")} left out, as the same again or beyond what is kept of one user.`);
	if (answer.damaged)
		words.push("A part of the trace is damaged, and entries are missing.");
	if (answer.trouble)
		words.push(`Entries are lost now: ${answer.trouble}.`);
	return words.join(" ");
}

async function showUser(user, isCurrent) {
	const [list, trace] = await Promise.allSettled([load("devices", {user, limit: 1000}), load("trace", {user})]);
	if (!isCurrent())
		return;
	const devices = list.status === "fulfilled" ? list.value.devices : [];
	const entries = trace.status === "fulfilled" ? trace.value.entries : [];
	put("phones", ...devices.map(one => phone(one, true)));
	put("more", link("all phones", {begins: ""}));
	put("entries", ...entries.reverse().map(entry));
	put("gaps", trace.status === "fulfilled" ? gaps(trace.value) : trace.reason.message);
	say(list.status === "rejected" ? list.reason.message
		: devices.length ? "" : `No phone of ${user} is registered: nothing can be pushed to this user.`);
	byId("list").hidden = !devices.length;
	byId("timeline").hidden = false;
	if (!entries.length && trace.status === "fulfilled")
		put("entries", make("li", {class: "soft"}, "nothing happened"));
}

/* ---- asking ---- */

function say(...words) {
	put("said", ...words);
}

async function show() {
	const mine = ++turn;
	const isCurrent = () => mine === turn;
	const wanted = new URLSearchParams(location.hash.slice(1));
	const user = wanted.get("user");
	const begins = wanted.get("begins") || "";
	byId("begins").value = user || begins;
	say("Asking …");
	try {
		if (user)
			await showUser(user, isCurrent);
		else
			await showList(begins, wanted, isCurrent);
	} catch (error) {
		if (isCurrent())
			say(error.name === "TimeoutError" ? "There is no answer in time." : `This cannot be shown: ${error.message}.`);
	}
}

byId("search").addEventListener("submit", event => {
	event.preventDefault();
	const hash = `#${new URLSearchParams({begins: byId("begins").value.trim()})}`;
	if (location.hash === hash)
		show();
	else
		location.hash = hash;
});
addEventListener("hashchange", show);
show();
