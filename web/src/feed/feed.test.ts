import { describe, expect, test } from "vitest";
import { FeedConnection, type FeedMessage } from "./connection";
import { type Channel, SharedFeed } from "./shared";
import { StreamParser } from "./stream";

describe("the parser of event streams", () => {
  test("reads messages however they are cut", () => {
    const text = 'id: 7\nevent: message\ndata: {"a":1}\n\n: comment\n\ndata: one\r\ndata: two\r\n\r\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new StreamParser();
      const messages = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      expect(messages).toEqual([
        { event: "message", data: '{"a":1}', id: "7" },
        { event: "message", data: "one\ntwo", id: null },
      ]);
    }
  });

  test("gives no message for a comment or an id alone", () => {
    expect(new StreamParser().push(": every 15 s\n\nid: 9\n\n")).toEqual([]);
  });

  test("refuses a line without an end", () => {
    expect(() => new StreamParser().push("x".repeat(2_000_000))).toThrow();
  });
});

/** A service whose streams are written by the test. */
class Service {
  readonly asked: { url: string; lastId: string | undefined }[] = [];
  readonly #streams: ((answer: Response) => void)[] = [];
  #waiting: (() => void) | null = null;

  fetch = (url: string, init: RequestInit): Promise<Response> => {
    const headers = init.headers as Record<string, string>;
    this.asked.push({ url, lastId: headers["Last-Event-ID"] });
    this.#waiting?.();
    return new Promise((done, failed) => {
      init.signal?.addEventListener("abort", () => failed(new Error("aborted")));
      this.#streams.push(done);
    });
  };

  async #asked(): Promise<(answer: Response) => void> {
    while (this.#streams.length === 0) {
      await new Promise<void>((done) => {
        this.#waiting = done;
      });
    }
    return this.#streams.shift() as (answer: Response) => void;
  }

  async answer(text: string, status = 200): Promise<void> {
    await this.answerWith(new Response(text, { status }));
  }

  async answerWith(answer: Response): Promise<void> {
    (await this.#asked())(answer);
  }
}

const heard = (connection: { tell: FeedMessage[] }, kind: string) =>
  connection.tell.filter((m) => m.kind === kind);

/** Waits until `holds`, turn by turn of the event loop. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000; turn += 1) {
    if (holds()) return;
    await new Promise((done) => setImmediate(done));
  }
  throw new Error("it did not happen");
}

describe("a connection", () => {
  test("resumes from the last event that has a number", async () => {
    const service = new Service();
    const tell: FeedMessage[] = [];
    const connection = new FeedConnection({
      fetch: service.fetch,
      topics: "levels",
      tell: (m) => tell.push(m),
      pauses: [0],
    });
    const run = connection.run();
    await service.answer(
      'id: 41\ndata: {"type":"participant.left","data":{}}\n\ndata: {"type":"levels","data":{}}\n\n',
    );
    await service.answer("");
    await until(() => service.asked.length >= 3);
    connection.stop();
    await run;
    expect(service.asked[0]).toEqual({ url: "/v1/events?topics=levels", lastId: undefined });
    expect(service.asked[1]?.lastId).toBe("41");
    expect(heard({ tell }, "event")).toHaveLength(2);
    expect(heard({ tell }, "reset")).toHaveLength(0);
  });

  test("says since when it is not live, and that it is again", async () => {
    const service = new Service();
    const tell: FeedMessage[] = [];
    const connection = new FeedConnection({
      fetch: service.fetch,
      topics: "",
      tell: (m) => tell.push(m),
      pauses: [0],
      now: () => 1234,
      lastId: "5",
    });
    const run = connection.run();
    await service.answer("");
    await service.answer("", 503);
    await service.answer("", 503);
    await service.answer("");
    await until(() => service.asked.length >= 5);
    connection.stop();
    await run;
    expect(tell).toContainEqual({ kind: "status", status: { kind: "lost", since: 1234 } });
    expect(heard({ tell }, "status").at(-1)).toEqual({ kind: "status", status: { kind: "live" } });
  });

  test("passes a reset on", async () => {
    const service = new Service();
    const tell: FeedMessage[] = [];
    const connection = new FeedConnection({
      fetch: service.fetch,
      topics: "",
      tell: (m) => tell.push(m),
      pauses: [0],
    });
    const run = connection.run();
    await service.answer('event: reset\ndata: {"first":1,"last":9}\nid: 9\n\n');
    await until(() => service.asked.length >= 2);
    connection.stop();
    await run;
    expect(heard({ tell }, "reset")).toHaveLength(1);
    expect(connection.lastId).toBe("9");
  });

  test("does not come back where it is refused", async () => {
    const service = new Service();
    const tell: FeedMessage[] = [];
    const run = new FeedConnection({ fetch: service.fetch, topics: "", tell: (m) => tell.push(m) }).run();
    await service.answer("", 401);
    await run;
    expect(tell.at(-1)).toEqual({ kind: "status", status: { kind: "refused", status: 401 } });
    expect(service.asked).toHaveLength(1);
  });
});

/** Channels and a lock between the pages of one browser. */
class Browser {
  readonly #channels = new Set<Channel>();
  #lock = Promise.resolve();

  page(service: Service, name: string): SharedFeed {
    const channels = this.#channels;
    const channel: Channel = {
      onmessage: null,
      postMessage: (data) => {
        for (const other of channels) if (other !== channel) other.onmessage?.({ data } as MessageEvent);
      },
      close: () => channels.delete(channel),
    };
    channels.add(channel);
    const lock = (held: () => Promise<void>, signal: AbortSignal) => {
      this.#lock = this.#lock.then(() => (signal.aborted ? undefined : held()));
      return this.#lock;
    };
    return new SharedFeed({ fetch: service.fetch, channel, lock, page: name });
  }
}

describe("the feed of a browser", () => {
  test("is one stream for all pages, and the next page takes over where it was", async () => {
    const service = new Service();
    const browser = new Browser();
    const first = browser.page(service, "1");
    const second = browser.page(service, "2");
    const heardBySecond: FeedMessage[] = [];
    second.listen((message) => heardBySecond.push(message));
    await until(() => service.asked.length === 1);
    let writer: ReadableStreamDefaultController<Uint8Array> | null = null;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        writer = controller;
      },
    });
    const write = (text: string) => writer?.enqueue(new TextEncoder().encode(text));
    await service.answerWith(new Response(body));
    write('id: 3\ndata: {"type":"conference.created","data":{}}\n\n');
    await until(() => heardBySecond.some((message) => message.kind === "event"));
    expect(second.status).toEqual({ kind: "live" });
    expect(service.asked).toHaveLength(1);
    first.close();
    await until(() => service.asked.length === 2);
    expect(service.asked[1]?.lastId).toBe("3");
    second.close();
  });

  test("that is refused says so on every page", async () => {
    const service = new Service();
    const browser = new Browser();
    const first = browser.page(service, "1");
    const second = browser.page(service, "2");
    await until(() => service.asked.length === 1);
    await service.answer("", 403);
    // The next page takes over, and is refused as well.
    await until(() => service.asked.length === 2);
    await service.answer("", 403);
    await until(() => first.status.kind === "refused" && second.status.kind === "refused");
    first.close();
    second.close();
  });

  test("asks for levels while a page wants them", async () => {
    const service = new Service();
    const browser = new Browser();
    const first = browser.page(service, "1");
    const second = browser.page(service, "2");
    await until(() => service.asked.length === 1);
    second.wantLevels(true);
    await until(() => service.asked.length === 2);
    expect(service.asked[1]?.url).toBe("/v1/events?topics=levels");
    second.close();
    await until(() => service.asked.length === 3);
    expect(service.asked[2]?.url).toBe("/v1/events");
    first.close();
  });
});
