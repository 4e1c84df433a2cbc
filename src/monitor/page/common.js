"use strict";
/*
 * What the daemon says is shown as text, never as markup: names of credentials, users, reasons and
 * alarms come from outside.
 */
const PATIENCE_MS = 10000;
/* Controls, and what turns the direction of writing around for the text that follows. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const clean = value => typeof value === "string" ? value.replace(UNSEEN, "\ufffd") : value;

const byId = id => document.getElementById(id);

function make(name, attributes, ...inside) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {}))
		element.setAttribute(key, value);
	element.append(...inside.filter(one => one !== null).map(clean));
	return element;
}

/* What has not changed is not touched: a screen reader says it once, and a selection stays. */
function put(id, ...inside) {
	const fresh = byId(id).cloneNode(false);
	fresh.append(...inside.map(clean));
	if (!fresh.isEqualNode(byId(id)))
		byId(id).replaceChildren(...fresh.childNodes);
}

const count = n => n.toLocaleString("en");
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
const stamp = unix => new Date(unix * 1000).toLocaleString("sv", {dateStyle: "short", timeStyle: "short"});

/* Of a path beside this page.  Where the name and password stood in the address, fetch refuses it. */
function beside(path) {
	const url = new URL(path, location.href);
	url.username = url.password = "";
	return url;
}

