/** Asks the server what is new in a run: no oftener than it can change, and never when hidden. */

import { unpack } from "./snapshot.js";

const EAGER = 120; // ms between questions until the first row is there
const PATIENCE = 10_000; // ms after which a run that does not start is no longer worth that
const INTERVALS = { running: 500, queued: 1000, finished: null, gone: null };
const RESTING = 3000; // paused, stopped, failed, interrupted: somebody else may resume it
const BACKOFF = [500, 1000, 2000, 5000];

export class Feed {
  /**
   * `listener.news(news)` hears what changed, `listener.snapshot(snapshot)`, where there is one, gets
   * pictures, `listener.link(connected)` hears whether the server answers, `listener.asked()` each
   * question; `listener.axes()` says on which axes to have the codes, `listener.kept()` hears that
   * there is another snapshot. `intervals` are the pauses by state.
   */
  constructor(listener, intervals = INTERVALS) {
    this.listener = listener;
    this.intervals = intervals;
    this.run = null;
    this.timer = 0;
    this.busy = false;
    this.looking = null;
    this.wake = this.wake.bind(this);
    document.addEventListener("visibilitychange", this.wake);
  }

  /** Follow another of the runs at the address `api`, from its beginning; or none. */
  follow(api, run) {
    Object.assign(this, { api, run, row: 0, event: 0, tag: null, state: null, failures: 0 });
    Object.assign(this, { latest: null, wanted: null, shown: null, missing: null });
    this.originals = false;
    this.since = performance.now();
    this.wake();
  }

  /** Have the snapshot of another step, or with null the newest; resolved once it is there. */
  async look(step) {
    this.wanted = step;
    try {
      while (this.looking) await this.looking; // what came in between may have been enough
      await this.#askSnapshot(this.run);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
  }

  /** Ask now. */
  wake() {
    clearTimeout(this.timer);
    if (this.run && !document.hidden && !this.closed) this.#ask();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.wake);
  }

  async #ask() {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    this.again = false;
    const { run } = this;
    try {
      await this.#askNews(run);
      await this.#askSnapshot(run);
      this.failures = 0;
      this.listener.link(true);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      this.failures += 1;
      this.listener.link(this.failures < 2);
    } finally {
      this.busy = false; // and go on asking, also where a listener threw
      if (this.again || run !== this.run) this.wake();
      else this.#schedule();
    }
  }

  #schedule() {
    const wait = this.failures
      ? BACKOFF[Math.min(this.failures, BACKOFF.length) - 1]
      : this.#interval();
    clearTimeout(this.timer);
    if (wait !== null && !document.hidden && !this.closed) {
      this.timer = setTimeout(this.wake, wait);
    }
  }

  #interval() {
    const starting = this.state === "running" || this.state === "queued";
    if (starting && this.row === 0 && performance.now() - this.since < PATIENCE) return EAGER;
    return this.state in this.intervals ? this.intervals[this.state] : RESTING;
  }

  async #askNews(run) {
    this.listener.asked();
    const url = `${this.api}/${run}/live?rows=${this.row}&events=${this.event}`;
    const headers = this.tag ? { "If-None-Match": this.tag } : {};
    const { status, tag, body: news } = await get(url, "json", { cache: "no-store", headers });
    if (run !== this.run || this.closed || status === 304) return;
    if (status === 404) {
      this.state = "gone";
      this.listener.news({ state: "gone", status: {}, first: this.row, rows: [] });
      return;
    }
    if (this.state !== news.state) this.since = performance.now();
    this.state = news.state;
    this.row = news.next;
    this.event = news.next_event;
    this.tag = tag;
    const newer = news.snapshot !== this.latest;
    this.latest = news.snapshot;
    this.listener.news(news);
    if (newer) this.listener.kept?.();
  }

  /** One at a time, so that they come in their order. */
  async #askSnapshot(run) {
    if (!this.listener.snapshot) return;
    if (this.looking) return this.looking;
    this.looking = this.#fetchSnapshot(run);
    try {
      await this.looking;
    } finally {
      this.looking = null;
    }
  }

  async #fetchSnapshot(run) {
    const step = this.wanted ?? this.latest;
    const axes = this.listener.axes();
    const wanted = `${step}/${axes}`;
    if (!run || step === null || wanted === this.shown || wanted === this.missing) return;
    const query = `plane=${axes}&originals=${this.originals ? 0 : 1}`;
    const { status, body } = await get(
      `${this.api}/${run}/snapshots/${step}?${query}`,
      "arrayBuffer",
    );
    if (run !== this.run || this.closed) return;
    if (status === 404) {
      this.missing = wanted; // thinned out since
      return;
    }
    this.shown = wanted;
    this.originals = true;
    this.listener.snapshot(unpack(body));
  }
}

/** No whole answer came. */
class Unreachable extends Error {}

/** Status, tag and body of an answer; the body is read `as` "json" or "arrayBuffer". */
async function get(url, as, options = {}) {
  let response;
  let body = null;
  try {
    response = await fetch(url, options);
    if (response.ok) body = await response[as]();
  } catch (error) {
    throw new Unreachable(error.message);
  }
  const { status } = response;
  if (!response.ok && status !== 304 && status !== 404) throw new Unreachable(`status ${status}`);
  return { status, tag: response.headers.get("ETag"), body };
}
