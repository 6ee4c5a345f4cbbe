// Quickens the pages: ages that live, search as you type, keys. Everything works without it.
"use strict";

const page = document.body.dataset;
const units = (page.units || "s,min,h,d,d").split(",");
const searchDelayMs = 180;
const ageIntervalMs = 5000;

function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const min = Math.floor(s / 60), h = Math.floor(min / 60), d = Math.floor(h / 24);
  if (min < 1) return `${s} ${units[0]}`;
  if (h < 1) return `${min} ${units[1]}`;
  if (d < 1) return `${h} ${units[2]}`;
  if (d < 10 && h % 24) return `${d} ${units[3]} ${h % 24} ${units[2]}`;
  return d === 1 ? `1 ${units[4]}` : `${d} ${units[3]}`;
}

// The server's clock counts, not this machine's: the page says when it was made.
const skewMs = page.now ? Date.now() - Number(page.now) : 0;
function refreshAges() {
  for (const element of document.querySelectorAll("time[data-age]")) {
    const text = age(Date.now() - skewMs - Number(element.dataset.age));
    if (element.textContent !== text) element.textContent = text;
  }
}
refreshAges();
setInterval(refreshAges, ageIntervalMs);

// Search as you type: the same address, only the list is exchanged.
const search = document.querySelector("input[type=search]");
let timer = 0, asked = 0;
async function searchNow(form) {
  const query = new URLSearchParams(new FormData(form));
  for (const [key, value] of [...query]) if (!value) query.delete(key);
  const url = `${form.getAttribute("action")}?${query}`;
  const ticket = ++asked;
  const answer = await fetch(url, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected || ticket !== asked) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["chips", "list"]) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (old && now) old.replaceWith(now);
  }
  history.replaceState(null, "", url);
  refreshAges();
}
if (search && document.getElementById("list")) {
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => searchNow(search.form).catch(() => {}), searchDelayMs);
  });
}

// A chosen filter is applied at once.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

// Keys: / to the search, j and k through the rows, Enter opens.
let row = -1;
function go(step) {
  const rows = [...document.querySelectorAll("#list tbody tr")].filter((tr) => tr.querySelector("a"));
  if (!rows.length) return;
  rows[row]?.classList.remove("here");
  row = Math.min(rows.length - 1, Math.max(0, row + step));
  rows[row].classList.add("here");
  rows[row].scrollIntoView({ block: "nearest" });
  rows[row].querySelector("a").focus({ preventScroll: true });
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && typing) typing.blur();
  if (typing) return;
  if (event.key === "/" && search) { event.preventDefault(); search.focus(); search.select(); }
  if (event.key === "j") go(1);
  if (event.key === "k") go(-1);
});
