// Says in words what the chosen crontab means, beside the choice.
"use strict";
(() => {
  const words = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const choice = document.getElementById("id_crontab");
  const row = document.querySelector(".field-crontab");
  document.querySelectorAll(".field-crontab_translation").forEach((part) => { part.hidden = true; });
  if (!choice || !row) return;
  const saying = document.createElement("div");
  saying.className = "help";
  saying.setAttribute("aria-live", "polite");
  row.append(saying);
  const say = () => { saying.textContent = words[choice.value] || ""; };
  choice.addEventListener("change", say);
  say();
})();
