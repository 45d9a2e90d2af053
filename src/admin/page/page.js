"use strict";
// Asks for this page again and takes over what differs. What is shown is written in one place, by
// the gateway; a script in what was fetched would not run, and nothing else is let in.
const EVERY = 2000;
const PATIENCE = 5000;
const answering = document.getElementById("answering");

function take(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const alike = old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName
    && old.childNodes.length === fresh.childNodes.length;
  if (!alike) {
    old.replaceWith(document.importNode(fresh, true));
  } else if (old.nodeType === Node.ELEMENT_NODE) {
    if (old.className !== fresh.className) old.className = fresh.className;
    const after = [...fresh.childNodes];
    [...old.childNodes].forEach((child, at) => take(child, after[at]));
  } else {
    old.nodeValue = fresh.nodeValue;
  }
}

async function look() {
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["head", "told"]) {
      const part = fresh.getElementById(id);
      if (!part) throw new Error("it answers with another page");
      take(document.getElementById(id), part);
    }
    document.title = fresh.title;
    answering.textContent = "";
  } catch (error) {
    if (!answering.textContent) {
      answering.textContent = `No answer since ${new Date().toLocaleTimeString()}: what is shown is old.`;
    }
  }
}

async function watch() {
  if (!document.hidden) await look();
  setTimeout(watch, EVERY);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setTimeout(watch, EVERY);
