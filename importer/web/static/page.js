"use strict";
/* What the page does beyond links and forms: uploads with progress, live progress, and changes without a reload.
   Every change is a form that works by itself; here its answer, a whole page, is taken apart and put in place. */
(() => {
  const byId = (id) => document.getElementById(id);
  const say = (text) => { const at = byId("status"); if (at && at.textContent !== text) at.textContent = text; };
  const lost = () => document.body.dataset.failed;

  /* Times as the reader writes them. */
  const times = (within) => {
    const own = document.documentElement.lang, lang = navigator.language.split("-")[0] === own.split("-")[0] ? navigator.language : own;
    for (const one of within.querySelectorAll("time[data-time]")) {
      const at = new Date(one.dateTime);
      if (!isNaN(at)) one.textContent = at.toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
    }
  };

  /* Uploads: the file itself is the body of the request, so that nothing holds it in memory. */
  const drop = document.querySelector("[data-drop]");
  let sending = null;
  const showError = (message, hint) => {
    const at = byId("upload-error");
    at.replaceChildren();
    for (const text of [message, hint]) if (text) { const p = document.createElement("p"); p.textContent = text; at.append(p); }
    at.hidden = false;
  };
  const upload = (file) => {
    if (sending) return;
    byId("upload-error").hidden = true;
    const bar = byId("upload-bar"), name = byId("upload-name"), box = byId("upload");
    const show = (share) => { bar.value = share; name.textContent = `${drop.dataset.reading} ${file.name}: ${share} %`; };
    show(0);
    box.hidden = false;
    say(`${drop.dataset.reading} ${file.name}`);
    const request = new XMLHttpRequest();
    sending = request;
    const end = () => { sending = null; box.hidden = true; };
    request.open("POST", `${drop.dataset.drop}?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => { if (event.lengthComputable) show(Math.floor(100 * event.loaded / event.total)); };
    request.onload = () => {
      end();
      let found = {};
      try { found = JSON.parse(request.responseText); } catch { found = { message: drop.dataset.lost }; }
      if (request.status === 201) location.assign(found.url); else showError(found.message || drop.dataset.lost, found.hint);
    };
    request.onerror = () => { end(); showError(drop.dataset.lost); };
    request.onabort = () => { end(); say(drop.dataset.cancelled); };
    request.send(file);
  };
  if (drop) {
    byId("file").addEventListener("change", (event) => { if (event.target.files.length) upload(event.target.files[0]); event.target.value = ""; });
    byId("upload-cancel").addEventListener("click", () => sending && sending.abort());
    const over = (on) => drop.classList.toggle("over", on);
    addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
    addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      const items = [...(event.dataTransfer.items || [])];
      const folder = items.some((item) => item.webkitGetAsEntry && item.webkitGetAsEntry() && item.webkitGetAsEntry().isDirectory);
      if (folder || event.dataTransfer.files.length !== 1) showError(drop.dataset.folder); else upload(event.dataTransfer.files[0]);
    });
  }

  /* Smaller files beside the table: corrections, lists of people who must not be sent. */
  for (const at of document.querySelectorAll("[data-send]")) {
    const input = at.querySelector("input[type=file]"), told = at.querySelector(".send-error");
    input.addEventListener("change", async () => {
      const file = input.files[0];
      if (!file) return;
      say(`${at.dataset.reading} ${file.name}`);
      let found = {}, ok = false;
      try {
        const answer = await fetch(`${at.dataset.send}?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } });
        found = await answer.json();
        ok = answer.status === 201;
      } catch { found = { message: at.dataset.lost }; }
      input.value = "";
      if (ok) { location.assign(found.url); return; }
      told.textContent = [found.message, found.hint].filter(Boolean).join(" ");
      told.hidden = false;
    });
  }

  /* Put parts of an answer in the place of those that are shown; what is being typed elsewhere stays. */
  const swap = (fresh, ids, done) => {
    /* What has no id is found again by the cell that it belongs to. */
    const active = document.activeElement, cell = active && active.closest("[data-cell]");
    const focused = active && (active.id || (cell && (cell.querySelector("input[id], button[id]") || {}).id));
    for (const id of ids) {
      const old = byId(id), now = fresh.getElementById(id);
      if (!old) continue;
      if (!now) { old.remove(); continue; }
      const typed = [...old.querySelectorAll("input[id]")].filter((input) => input !== done && input.value !== input.defaultValue);
      old.replaceWith(document.adoptNode(now));
      for (const input of typed) { const at = byId(input.id); if (at) at.value = input.value; }
      times(now);
    }
    if (focused && byId(focused) && document.activeElement.id !== focused) {
      const at = byId(focused);
      at.focus({ preventScroll: true });
      if (at.setSelectionRange && at.type === "text") at.setSelectionRange(at.value.length, at.value.length);
    }
  };
  const body = (form, button) => {
    const data = new FormData(form);
    if (button && button.name) data.append(button.name, button.value);
    return new URLSearchParams(data);
  };
  let queue = Promise.resolve(), pending = 0, latest = "";
  const post = (form, button, ids, done) => {
    const data = body(form, button);
    pending += 1;
    queue = queue.then(async () => {
      try {
        /* Changes wait for each other: each is made from the state that the one before led to. */
        if (latest && data.has("revision")) data.set("revision", latest);
        const answer = await fetch(form.action, { method: "POST", body: data });
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const revision = fresh.querySelector("input[name=revision]");
        latest = revision ? revision.value : "";
        /* What is chosen meanwhile must stay as it is: the last answer shows it. */
        const more = answer.ok && pending > 1 && ids[0] === "main";
        /* A change may bring a column into the table: then a row alone would not fit the others. */
        const table = byId("grid-table"), now = fresh.getElementById("grid-table");
        const fits = !table || !now || table.dataset.columns === now.dataset.columns;
        if (!more) swap(fresh, !answer.ok ? ["main"] : fits ? ids : ["grid-table", ...ids.filter((id) => !table.contains(byId(id)))], done);
        if (!answer.ok) byId("main").focus();
        const told = fresh.querySelector(".told.error strong, #grid-state .lead, #missing p");
        if (told) say(told.textContent.trim());
        return true;
      } catch { say(lost()); fail(); return false; } finally { pending -= 1; }
    });
    return queue;
  };
  /* Enter is both a change and a submission: the same text is saved once. */
  const save = async (form, input) => {
    if (input.dataset.saving === input.value) return;
    input.dataset.saving = input.value;
    if (!await post(form, null, form.dataset.swap.split(","), input)) delete input.dataset.saving;
  };
  const fail = () => {
    if (byId("lost")) return;
    const at = document.createElement("p");
    at.id = "lost"; at.className = "told error"; at.setAttribute("role", "alert"); at.textContent = lost();
    byId("main").prepend(at);
  };

  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (!form) return;
    if (form.matches("[data-auto]")) post(form, null, ["main"]);
    else if (form.matches("[data-cell]") && event.target.name === "text") save(form, event.target);
    else if (form.matches("[data-auto-get]") && event.target.matches("select, [type=checkbox]")) filter(form);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (pending && form.method === "post" && !form.matches("[data-auto], [data-cell]")) {
      /* A change is still on its way: go on from the page that it leads to. */
      event.preventDefault();
      const action = form.getAttribute("action"), name = button && button.name, value = button && button.value;
      queue.then(() => {
        for (const one of document.forms) {
          const fits = [...one.querySelectorAll("button")].find((at) => at.name === (name || "") && at.value === (value || ""));
          if (one.getAttribute("action") === action && fits) { one.requestSubmit(fits); return; }
        }
      });
      return;
    }
    if (form.dataset.sure && !confirm(form.dataset.sure)) { event.preventDefault(); return; }
    if (form.matches("[data-auto-get]")) { event.preventDefault(); filter(form); }
    else if (form.matches("[data-cell]")) {
      event.preventDefault();
      const input = form.elements.text, plain = !button || !button.name;
      if (plain) {
        const all = [...document.querySelectorAll("[data-cell] input[name=text]")];
        const next = all[all.indexOf(input) + 1];
        if (input.value !== input.defaultValue) save(form, input);
        if (next) next.focus();
      } else post(form, button, form.dataset.swap.split(","), input).then(() => { const at = input && byId(input.id); if (at) at.focus({ preventScroll: true }); });
    } else if (form.matches("[data-auto]")) { event.preventDefault(); post(form, button, ["main"]); }
    else if (form.matches("[data-once]")) {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    }
  });
  /* Enter that ends the input of a character must not save the cell. */
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.preventDefault();
  });
  /* What was typed before this script was there is saved now. */
  for (const input of document.querySelectorAll("[data-cell] input[name=text]")) {
    if (input !== document.activeElement && input.value !== input.defaultValue) save(input.form, input);
  }
  const filter = (form) => {
    const query = new URLSearchParams(new FormData(form));
    location.assign(`${form.action.split("?")[0]}?${query}`);
  };

  /* Live progress, open only while something is at work. */
  const follow = document.querySelector("[data-follow]");
  if (follow) {
    let spoken = -1, failed = 0;
    const stream = new EventSource(`${follow.dataset.follow}/events`);
    const take = (event) => {
      failed = 0;
      if (byId("lost")) byId("lost").remove();
      const facts = JSON.parse(event.data);
      const fresh = new DOMParser().parseFromString(facts.html, "text/html");
      byId("progress").replaceChildren(...[...fresh.body.childNodes].map((node) => document.adoptNode(node)));
      if (facts.percent !== null) {
        document.title = document.title.replace(/^(\d+ % · )?/, `${facts.percent} % · `);
        const tenth = Math.floor(facts.percent / 10);
        if (tenth !== spoken) { spoken = tenth; say(`${facts.percent} %`); }
      }
      return facts;
    };
    stream.addEventListener("progress", take);
    stream.addEventListener("ended", (event) => { stream.close(); location.assign(take(event).url); });
    /* The browser tries again by itself; a server that was started anew does not know this page. */
    stream.onerror = () => { failed += 1; if (failed > 1 || stream.readyState === EventSource.CLOSED) { say(lost()); fail(); } };
    /* Who goes elsewhere meanwhile is not called back. */
    for (const leaving of ["beforeunload", "pagehide"]) addEventListener(leaving, () => stream.close());
  }
  /* A run that another program carries out tells us nothing: its page is drawn again from time to time. */
  const again = async () => {
    if (!document.querySelector("[data-again]")) return;
    try {
      const fresh = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      if (!byId("main").contains(document.activeElement) || document.activeElement === byId("main")) swap(fresh, ["main"]);
    } catch { fail(); }
    setTimeout(again, 3000);
  };
  setTimeout(again, 3000);
  times(document);
})();
