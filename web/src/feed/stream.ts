/** Reads server-sent events piece by piece, however the pieces are cut. */
export interface StreamMessage {
  event: string;
  data: string;
  /** Null where the message has none: then it cannot be resumed from. */
  id: string | null;
}

/** A line of more than this is not what the service sends. */
const LINE_MAX = 1 << 20;

export class StreamParser {
  #rest = "";
  #data: string[] = [];
  #event = "";
  #id: string | null = null;

  /** The messages that `text` completes. */
  push(text: string): StreamMessage[] {
    const messages: StreamMessage[] = [];
    this.#rest += text;
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (!end) break;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const message = this.#line(line);
      if (message) messages.push(message);
    }
    if (this.#rest.length > LINE_MAX) throw new Error("a line of the event stream does not end");
    return messages;
  }

  #line(line: string): StreamMessage | null {
    if (line === "") {
      const complete = this.#data.length > 0;
      const message = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
      this.#data = [];
      this.#event = "";
      this.#id = null;
      return complete ? message : null;
    }
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }
}
