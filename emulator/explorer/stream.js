/** Server-sent events of the control API; with `fetch`, since an `EventSource` cannot send a token. */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

/** The data of each event of a body. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const whole = (rest + value).split("\n\n");
    rest = whole.pop();
    for (const event of whole) {
      if (event.startsWith("data: ")) yield JSON.parse(event.slice("data: ".length));
    }
  }
}

/**
 * Follows the journal for as long as the page lives, and again after the connection was lost. `onBegin` is called
 * whenever the entries of before come again, `onLost` with the reason; a refusal ends it.
 */
export async function followJournal(control, { onBegin, onEntry, onLost }) {
  let pause = FIRST_PAUSE_MS;
  for (;;) {
    try {
      const response = await control.open("/journal/follow", { cache: "no-store" });
      pause = FIRST_PAUSE_MS;
      onBegin();
      for await (const entry of events(response.body)) onEntry(entry);
      onLost(null);
    } catch (error) {
      onLost(error);
      if (error.status && !error.isPassing) return;
    }
    do {
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    } while (document.hidden);
  }
}
