// Replaces the part of a page that shows progress by a newer one, until it says that nothing moves any more.
"use strict";
(() => {
  const step = async () => {
    const part = document.getElementById("live");
    if (!part || !part.dataset.refresh) return;
    if (!document.hidden && !part.contains(document.activeElement)) {
      try {
        const response = await fetch(location.href, { credentials: "same-origin" });
        if (response.ok && !response.redirected) {
          const page = new DOMParser().parseFromString(await response.text(), "text/html");
          const newer = page.getElementById("live");
          if (newer) part.replaceWith(document.importNode(newer, true));
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // offline: try again
      }
    }
    schedule();
  };
  const schedule = () => {
    const part = document.getElementById("live");
    if (part && part.dataset.refresh) setTimeout(step, Number(part.dataset.refresh) * 1000);
  };
  schedule();
})();
