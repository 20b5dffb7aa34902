(() => {
  "use strict";
  const form = document.querySelector("form");
  const search = document.getElementById("search");
  const domain = document.getElementById("domain");
  const kinds = [...document.querySelectorAll("button[data-kind]")];
  const rows = [...document.querySelectorAll(".row")];
  const texts = new Map(rows.map((row) => {
    const said = [...row.querySelectorAll(".verb, .what, .detail")].map((part) => part.textContent);
    return [row, `${said.join(" ")} ${row.id}`.toLowerCase()];
  }));
  const sections = [...document.querySelectorAll("section[data-rows]")];
  const count = document.getElementById("count");
  const none = document.getElementById("none");
  const number = new Intl.NumberFormat("en");

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = kinds.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.dataset.kind);
    let shown = 0;
    for (const row of rows) {
      const text = texts.get(row);
      const fits = words.every((w) => text.includes(w))
        && (!domain || !domain.value || row.dataset.domain === domain.value)
        && (wanted.length === 0 || wanted.some((k) => (k === "!" ? row.classList.contains("grave") : row.dataset.kind === k)));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const section of sections) {
      const left = section.querySelectorAll(".row:not([hidden])").length;
      section.hidden = left === 0;
      section.querySelector("h2 span").textContent = number.format(left);
    }
    count.textContent = `${number.format(shown)} of ${number.format(rows.length)} actions`;
    none.hidden = shown > 0;
  };
  const remember = () => {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    if (domain && domain.value) state.set("domain", domain.value);
    const wanted = kinds.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.dataset.kind);
    if (wanted.length) state.set("kind", wanted.join(""));
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname);
  };
  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") || "";
    if (domain) domain.value = state.get("domain") || "";
    const wanted = state.get("kind") || "";
    for (const b of kinds) b.setAttribute("aria-pressed", String(wanted.includes(b.dataset.kind)));
    if (state.get("theme")) document.documentElement.dataset.theme = state.get("theme");
    apply();
  };
  const changed = () => { apply(); try { remember(); } catch { /* a page from a mail attachment has no history */ } };

  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", changed);
  if (domain) domain.addEventListener("change", changed);
  for (const b of kinds) {
    b.addEventListener("click", () => {
      b.setAttribute("aria-pressed", String(b.getAttribute("aria-pressed") !== "true"));
      changed();
    });
  }
  document.getElementById("theme").addEventListener("click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); }
    if (event.key === "Escape" && document.activeElement === search) { search.value = ""; changed(); }
  });
  addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
})();
