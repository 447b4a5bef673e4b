// What the pages do better with a script; without it they work by links and forms.
"use strict";

// A row whose refresh is running asks for itself every second, at most ten times; then it says that nobody answered.
const POLLS = 10;
const row_of = (html) => new DOMParser().parseFromString(html, "text/html").querySelector("[data-row]");
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function refresh(row) {
  for (let poll = 0; poll < POLLS; poll++) {
    await wait(1000);
    const response = await fetch(row.dataset.row, { headers: { "X-Requested-With": "fetch" } }).catch(() => null);
    const fresh = response?.ok ? row_of(await response.text()) : null;
    if (fresh && !("stale" in fresh.dataset)) {
      const focused = row.contains(document.activeElement) ? document.activeElement.id : "";
      row.replaceWith(fresh);
      watch_cards(fresh);
      if (focused) document.getElementById(focused)?.focus();
      say(fresh.dataset.updated);
      return;
    }
  }
  row.querySelectorAll(".updating, [data-asking]").forEach((told) => told.remove());
  const unanswered = row.querySelector("[data-unanswered]");
  if (!unanswered) return;
  unanswered.hidden = false;
  say(unanswered.textContent.trim());
}

function say(text) {
  const region = document.getElementById("said");
  if (region) region.textContent = text ?? "";
}

// A recommendation counts as shown once half of its card has been in view for a second; each once a page.
const shown = document.querySelector("form[data-shown]");
const SHOWN_AFTER = 1000;
const TOLD_AFTER = 300; // those that came into view together are told together
const looking = new Map();
let untold = [];

function tell_shown() {
  const body = new FormData(shown);
  untold.forEach((id) => body.append("recommendation", id));
  untold = [];
  fetch(shown.action, { method: "POST", body, keepalive: true }).catch(() => {});
}

function was_shown(card) {
  looking.delete(card);
  watcher.unobserve(card);
  if (document.visibilityState !== "visible") { // a tab in the background: it counts when it is looked at
    document.addEventListener("visibilitychange", () => watcher.observe(card), { once: true });
  } else if (untold.push(card.dataset.recommendation) === 1) setTimeout(tell_shown, TOLD_AFTER);
}

const watcher = shown && new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    clearTimeout(looking.get(target));
    if (isIntersecting) looking.set(target, setTimeout(was_shown, SHOWN_AFTER, target));
  }
}, { threshold: 0.5 });

function watch_cards(root) {
  if (watcher) root.querySelectorAll("[data-recommendation]").forEach((card) => watcher.observe(card));
}

watch_cards(document);
document.querySelectorAll("[data-row][data-stale]").forEach(refresh);

// "Why this?" opens in place; the address is that of the full page, and going back closes it.
const dialog = document.querySelector("dialog.panel");

async function open_panel(link) {
  const response = await fetch(link.href, { headers: { "X-Requested-With": "fetch" } });
  if (!response.ok) return location.assign(link.href);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const sheet = page.querySelector(".why-sheet");
  if (!sheet) return location.assign(link.href);
  const from = location.pathname + location.search;
  sheet.querySelectorAll("input[name=next]").forEach((input) => { input.value = from; });
  dialog.replaceChildren(sheet);
  dialog.dataset.from = from;
  history.pushState({ why: link.href }, "", link.href);
  dialog.showModal();
  dialog.scrollTop = 0;
}

if (dialog) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-why]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (link && plain && !dialog.open) {
      event.preventDefault();
      open_panel(link).catch(() => location.assign(link.href));
    } else if (event.target === dialog || event.target.closest("dialog [data-close]")) {
      event.preventDefault();
      history.back();
    }
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    history.back();
  });
  addEventListener("popstate", (event) => {
    if (dialog.open) dialog.close();
    else if (event.state?.why) location.reload(); // forward again to a panel that is closed: show the full page
  });
}

// A view counts when the page is really seen: not when it is fetched ahead.
const viewed = document.querySelector("form[data-viewed]");

function send_view() {
  if (document.visibilityState !== "visible" || document.prerendering) return;
  document.removeEventListener("visibilitychange", send_view);
  fetch(viewed.action, { method: "POST", body: new FormData(viewed), keepalive: true }).catch(() => {});
}

if (viewed) {
  document.addEventListener("visibilitychange", send_view);
  if (document.prerendering) document.addEventListener("prerenderingchange", send_view, { once: true });
  send_view();
}
