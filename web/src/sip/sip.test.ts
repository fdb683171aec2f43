import { describe, expect, test, vi } from "vitest";
import { levelOf, meterShare } from "./audio";
import { Bridge, FakeMedia } from "./fakes";
import { shownName, userPart } from "./identity";
import {
  header,
  headersOf,
  parameterOf,
  parseMessage,
  quoted,
  reasonOf,
  type SipMessage,
  uriOf,
  writeMessage,
} from "./message";
import { type Roster, readRoster } from "./roster";
import { type PhoneView, type SavedCall, Telephone } from "./telephone";

describe("messages", () => {
  test("are read with folded lines, compact names and several headers of one name", () => {
    const text =
      "BYE sip:a@b SIP/2.0\r\nv: SIP/2.0/WSS x;branch=1\r\nVia: second\r\nSubject: one\r\n two\r\ni: 7\r\n\r\nbody";
    const message = parseMessage(text) as SipMessage;
    expect(message.method).toBe("BYE");
    expect(headersOf(message, "via")).toEqual(["SIP/2.0/WSS x;branch=1", "second"]);
    expect(header(message, "subject")).toBe("one two");
    expect(header(message, "call-id")).toBe("7");
    expect(message.body).toBe("body");
  });

  test("are nothing where the first line is not of SIP", () => {
    for (const text of ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 2000 x"])
      expect(parseMessage(text)).toBeNull();
  });

  test("are written with their length in bytes", () => {
    expect(writeMessage("A b SIP/2.0", [["X", "y"]], "ü")).toBe(
      "A b SIP/2.0\r\nX: y\r\nContent-Length: 2\r\n\r\nü",
    );
  });

  test("carry addresses, parameters and reasons", () => {
    expect(uriOf('"A <b>" <sip:x@y;transport=ws>;tag=1'.replace("<b>", "b"))).toBe("sip:x@y;transport=ws");
    expect(parameterOf('"A;tag=no" <sip:x@y;tag=inner>;Tag=outer', "tag")).toBe("outer");
    expect(quoted('a"b\\c\r\nEvil: 1')).toBe('"a\\"b\\\\c Evil: 1"');
    const bye = parseMessage(
      'BYE sip:a@b SIP/2.0\r\nReason: Q.850;cause=16;text="The \\"end\\""\r\n\r\n',
    ) as SipMessage;
    expect(reasonOf(bye)).toEqual({ protocol: "Q.850", cause: 16, text: 'The "end"' });
  });
});

describe("names", () => {
  test("become addresses that show them", () => {
    expect(userPart("Jürgen Groß")).toMatch(/^Jurgen\.Gross\+[0-9a-z]{5}$/);
    expect(shownName(userPart("Ann Lee"))).toBe("Ann Lee");
    expect(userPart("李")).toMatch(/^guest\+/);
    expect(shownName("+4419082738")).toBe("+4419082738");
    expect(shownName("1001")).toBe("1001");
    expect(shownName("tel:+441632960000")).toBe("+441632960000");
    expect(shownName("user:desk1")).toBe("desk1");
    expect(shownName("sip:ann@example.com;transport=tls")).toBe("ann@example.com");
  });
});

const P = 'xmlns:p="urn:plenary:conference-info"';
const document = (version: number, state: string, content: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" ${P} entity="sip:b@h" state="${state}" version="${version}">${content}<p:self>7f.1</p:self></conference-info>`;
const user = (id: string, name: string, more: string, hand = "") =>
  `<user entity="sip:${id}@anonymous.invalid" state="full"><display-text>${name}</display-text><endpoint entity="${id}">${more}</endpoint>${hand}</user>`;
const inIt = (audio: string, talking: boolean) =>
  `<status>connected</status><joining-method>dialed-in</joining-method><media id="1"><type>audio</type><status>${audio}</status><p:talking>${talking}</p:talking></media>`;
const DOCUMENT = document(
  3,
  "full",
  "<conference-description><display-text>Board</display-text></conference-description>" +
    "<conference-state><user-count>1</user-count><active>true</active><p:recording>on</p:recording></conference-state>" +
    `<users state="full">${user("7f.1", "A &lt;b&gt; &amp; c", inIt("recvonly", false), "<p:hand>true</p:hand>")}` +
    `${user("7f.2", "+44…073", "<status>alerting</status><joining-method>dialed-out</joining-method>")}</users>`,
);

describe("lists of participants", () => {
  const first = readRoster(DOCUMENT, null) as Roster;

  test("say who is in, muted, talking and being called, whose hand is up, and that it is recorded", () => {
    expect(first).toEqual({
      conference: "Board",
      active: true,
      recording: "on",
      ownId: "7f.1",
      version: 3,
      users: [
        {
          id: "7f.1",
          name: "A <b> & c",
          status: "connected",
          muted: true,
          talking: false,
          handRaised: true,
          dialedOut: false,
        },
        {
          id: "7f.2",
          name: "+44…073",
          status: "alerting",
          muted: false,
          talking: false,
          handRaised: false,
          dialedOut: true,
        },
      ],
    });
  });

  test("change as parts of them say, and keep the rest", () => {
    const changed = `<users state="partial">${user("7f.1", "Ann", inIt("sendrecv", true))}<user entity="sip:7f.2@anonymous.invalid" state="deleted"/>${user("7f.3", "Ben", inIt("sendrecv", false))}</users>`;
    const second = readRoster(document(4, "partial", changed), first) as Roster;
    expect(second).toMatchObject({ conference: "Board", active: true, recording: "on", version: 4 });
    expect(second.users.map(({ id, name, talking }) => [id, name, talking])).toEqual([
      ["7f.1", "Ann", true],
      ["7f.3", "Ben", false],
    ]);
    expect(second.users[0]?.handRaised).toBe(false);
    const state =
      "<conference-state><user-count>2</user-count><active>true</active><p:recording>paused</p:recording></conference-state>";
    const third = readRoster(document(5, "partial", state), second) as Roster;
    expect(third).toMatchObject({ recording: "paused", users: second.users });
    const over = "<conference-state><user-count>2</user-count><active>true</active></conference-state>";
    expect(readRoster(document(6, "partial", over), third)?.recording).toBeNull();
  });

  test("are nothing where they are broken, something else, or go on from one that was missed", () => {
    for (const text of ["", "<a>", "<a></b>", "<other/>", DOCUMENT.slice(0, -5)])
      expect(readRoster(text, first)).toBeNull();
    expect(readRoster(document(5, "partial", ""), first)).toBeNull();
    expect(readRoster(document(4, "partial", ""), null)).toBeNull();
    expect(readRoster(document(1, "full", ""), first)).toMatchObject({ version: 1, users: [] });
  });
});

describe("levels", () => {
  test("are in dB of full scale", () => {
    expect(levelOf(new Float32Array(512))).toBe(-100);
    expect(levelOf(new Float32Array(512).fill(0.1))).toBeCloseTo(-20, 3);
    expect(meterShare(-60)).toBe(0);
    expect(meterShare(-10)).toBe(1);
  });
});

function telephone(bridge: Bridge, now = () => 0) {
  const media = new FakeMedia();
  const views: PhoneView[] = [];
  const saved: (SavedCall | null)[] = [];
  const phone = new Telephone({
    open: bridge.open,
    media,
    uri: "sip:conf-Board@bridge",
    name: "Ann",
    user: "Ann+abcde",
    host: "bridge",
    token: "TOKEN",
    changed: (view) => views.push(view),
    save: (call) => saved.push(call),
    now,
    pauses: [0],
  });
  return { phone, media, views, saved };
}

const up = (phone: Telephone) => vi.waitFor(() => expect(phone.view.state.kind).toBe("up"));

describe("a telephone", () => {
  test("calls with its token, acknowledges, and follows who is in", async () => {
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge);
    void phone.call();
    await up(phone);
    const invite = bridge.of("INVITE")[0] as SipMessage;
    expect(header(invite, "authorization")).toBe("Bearer TOKEN");
    expect(header(invite, "from")).toMatch(/^"Ann" <sip:Ann\+abcde@bridge>;tag=/);
    await vi.waitFor(() => expect(bridge.of("SUBSCRIBE")).toHaveLength(1));
    const ack = bridge.of("ACK")[0] as SipMessage;
    expect(ack.first).toBe("ACK sip:focus@bridge SIP/2.0");
    expect(header(ack, "to")).toContain(";tag=theirs");
    expect(header(ack, "cseq")).toBe(header(invite, "cseq")?.replace("INVITE", "ACK"));
    expect(media.did).toEqual(["renew", "offer", "answered answer"]);
  });

  test("shows the list of participants that it is sent, and answers", async () => {
    const bridge = new Bridge();
    const { phone } = telephone(bridge);
    void phone.call();
    await up(phone);
    await vi.waitFor(() => expect(bridge.of("SUBSCRIBE")).toHaveLength(1));
    bridge.notify(DOCUMENT);
    expect(phone.view.roster?.users).toHaveLength(2);
    await vi.waitFor(() => expect(bridge.requests.at(-1)?.status).toBe(200));
    // A request of a call that it does not know.
    const invite = bridge.of("INVITE")[0] as SipMessage;
    const callId = header(invite, "call-id") ?? "";
    bridge.sockets[0]?.say(bridge.within(invite, "BYE").replace(callId, "other"));
    await vi.waitFor(() => expect(bridge.requests.at(-1)?.status).toBe(481));
    expect(phone.view.state.kind).toBe("up");
  });

  test("asks for the whole list where it has missed a part", async () => {
    vi.useFakeTimers();
    try {
      const bridge = new Bridge();
      const { phone } = telephone(bridge);
      void phone.call();
      await vi.waitFor(() => expect(bridge.of("SUBSCRIBE")).toHaveLength(1));
      bridge.notify(DOCUMENT);
      bridge.notify(document(4, "partial", ""));
      expect(phone.view.roster?.version).toBe(4);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(bridge.of("SUBSCRIBE")).toHaveLength(1);
      bridge.notify(document(6, "partial", ""));
      expect(phone.view.roster?.version).toBe(4);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(bridge.of("SUBSCRIBE")).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test("says at once that the audio finds no way, and leaves no seat behind", async () => {
    const bridge = new Bridge();
    const { phone, media, saved } = telephone(bridge);
    void phone.call();
    await up(phone);
    media.lose();
    expect(phone.view.state).toEqual({ kind: "failed", why: { kind: "ice" } });
    await vi.waitFor(() => expect(bridge.of("BYE")).toHaveLength(1));
    expect(saved.at(-1)).toBeNull();
  });

  test.each([
    [false, { kind: "failed", why: { kind: "ice" } }],
    [true, { kind: "ended", by: "them", text: "No audio" }],
  ])("where the service ends a call without audio first, which had some before: %s", async (had, state) => {
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge);
    void phone.call();
    await up(phone);
    if (had) media.connect();
    const reason: [string, string] = ["Reason", 'SIP;cause=408;text="No audio"'];
    bridge.sockets[0]?.say(bridge.within(bridge.of("INVITE")[0] as SipMessage, "BYE", [reason]));
    await vi.waitFor(() => expect(phone.view.state).toEqual(state));
  });

  test("gives up ninety seconds after the audio was there last, however often the call itself comes back", async () => {
    let now = 0;
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge, () => now);
    void phone.call();
    await up(phone);
    media.connect();
    media.lose();
    for (now = 30_000; now <= 90_000; now += 30_000) {
      await up(phone);
      media.lose();
    }
    await up(phone);
    now = 91_000;
    media.lose();
    await vi.waitFor(() => expect(phone.view.state).toEqual({ kind: "ended", by: "network", text: "" }));
    await vi.waitFor(() => expect(bridge.of("BYE")).toHaveLength(1));
  });

  test("counts a second loss from its own beginning", async () => {
    let now = 0;
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge, () => now);
    void phone.call();
    await up(phone);
    media.connect();
    media.lose();
    await up(phone);
    media.connect();
    now = 3_600_000;
    media.lose();
    expect(phone.view.state).toMatchObject({ kind: "reconnecting", since: now });
  });

  test("names each way in which a call does not come to be, and ends one that the other side thinks is there", async () => {
    const states = async (change: (bridge: Bridge, media: FakeMedia) => void) => {
      const bridge = new Bridge();
      const { phone, media } = telephone(bridge);
      change(bridge, media);
      await phone.call();
      await new Promise((done) => setTimeout(done));
      return [phone.view.state, bridge.of("BYE").length];
    };
    const no = () => Promise.reject(new Error("in the browser's words"));
    const failed = (kind: string) => ({ kind: "failed", why: { kind } });
    expect(await states((_, media) => Object.assign(media, { answered: no }))).toEqual([failed("codecs"), 1]);
    expect(await states((_, media) => Object.assign(media, { offer: no }))).toEqual([failed("browser"), 0]);
    expect(
      await states((bridge) => {
        bridge.answers.INVITE = () => "488 Not Acceptable Here";
      }),
    ).toEqual([failed("codecs"), 0]);
    expect(
      await states((bridge) => {
        bridge.answers.OPTIONS = () => {
          bridge.sockets[0]?.close();
          return "";
        };
      }),
    ).toEqual([failed("connection"), 0]);
  });

  test("keeps its call over a lost connection: the same dialog with an ICE restart", async () => {
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge);
    void phone.call();
    await up(phone);
    bridge.sockets[0]?.close();
    expect(phone.view.state.kind).toBe("reconnecting");
    await up(phone);
    const [first, second] = bridge.of("INVITE") as [SipMessage, SipMessage];
    expect(header(second, "call-id")).toBe(header(first, "call-id"));
    expect(header(second, "to")).toContain(";tag=theirs");
    expect(Number.parseInt(header(second, "cseq") ?? "", 10)).toBeGreaterThan(
      Number.parseInt(header(first, "cseq") ?? "", 10),
    );
    expect(media.did).toContain("restart");
  });

  test("takes its own place where the dialog is gone", async () => {
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge);
    void phone.call();
    await up(phone);
    bridge.answers.INVITE = (request) => (header(request, "replaces") ? "200 OK" : "481 Gone");
    bridge.sockets[0]?.close();
    await up(phone);
    const [first, , third] = bridge.of("INVITE") as SipMessage[];
    expect(header(third as SipMessage, "replaces")).toBe(
      `${header(first as SipMessage, "call-id")};to-tag=theirs;from-tag=${parameterOf(header(first as SipMessage, "from") ?? "", "tag")}`,
    );
    expect(media.did.filter((what) => what === "renew")).toHaveLength(2);
  });

  test("is gone ten seconds: another call takes the place of the first", async () => {
    let now = 0;
    const bridge = new Bridge();
    const { phone } = telephone(bridge, () => now);
    void phone.call();
    await up(phone);
    const open = bridge.open;
    bridge.answers.INVITE = (request) => {
      if (header(request, "replaces")) return "200 OK";
      now += 11_000;
      return "503 Later";
    };
    bridge.open = open;
    bridge.sockets[0]?.close();
    await up(phone);
    expect(bridge.of("INVITE").map((invite) => header(invite, "replaces") !== null)).toEqual([
      false,
      false,
      true,
    ]);
  });

  test("comes back after a reload in the place of the call before it", async () => {
    const bridge = new Bridge();
    const before = telephone(bridge);
    void before.phone.call();
    await up(before.phone);
    const kept = JSON.parse(JSON.stringify(before.saved.at(-1))) as SavedCall;
    const after = telephone(bridge);
    void after.phone.call(kept);
    await up(after.phone);
    expect(header(bridge.of("INVITE")[1] as SipMessage, "replaces")).toContain(kept.dialog.callId);
  });

  test("says why it was refused, and acknowledges that", async () => {
    const bridge = new Bridge();
    bridge.answers.INVITE = () => "486 The conference is locked";
    const { phone } = telephone(bridge);
    await phone.call();
    const why = { kind: "refused", status: 486, text: "The conference is locked" };
    expect(phone.view.state).toEqual({ kind: "failed", why });
    await vi.waitFor(() => expect(bridge.of("ACK")).toHaveLength(1));
    const branch = (message: SipMessage) => /branch=([^;]+)/.exec(header(message, "via") ?? "")?.[1];
    expect(branch(bridge.of("ACK")[0] as SipMessage)).toBe(branch(bridge.of("INVITE")[0] as SipMessage));
  });

  test("hangs up: a call that rings is cancelled, one that is up is ended", async () => {
    const bridge = new Bridge();
    bridge.answers.INVITE = () => "180 Ringing";
    const ringing = telephone(bridge);
    void ringing.phone.call();
    await vi.waitFor(() => expect(ringing.phone.view.state.kind).toBe("ringing"));
    ringing.phone.hangUp();
    await vi.waitFor(() => expect(bridge.of("CANCEL")).toHaveLength(1));
    expect(ringing.phone.view.state).toEqual({ kind: "ended", by: "us", text: "" });
    bridge.answers = {};
    const other = telephone(bridge);
    void other.phone.call();
    await up(other.phone);
    other.phone.hangUp();
    await vi.waitFor(() => expect(bridge.of("BYE")).toHaveLength(1));
    expect(other.saved.at(-1)).toBeNull();
  });

  test("stays ended where it hangs up while the answer is being applied, in a new call and in one that comes back", async () => {
    for (const restarts of [false, true]) {
      const bridge = new Bridge();
      const { phone, media, views } = telephone(bridge);
      let apply = () => {};
      const isApplying = () => media.did.at(-1) === "applying";
      const hold = () => {
        media.answered = () => {
          media.did.push("applying");
          return new Promise<undefined>((done) => {
            apply = () => done(undefined);
          });
        };
      };
      if (!restarts) hold();
      void phone.call();
      if (restarts) {
        await up(phone);
        media.connect();
        hold();
        media.lose();
      }
      await vi.waitFor(() => expect(isApplying()).toBe(true));
      phone.hangUp();
      apply();
      await vi.waitFor(() => expect(bridge.of("BYE").length).toBeGreaterThan(0));
      await new Promise((done) => setTimeout(done));
      expect(phone.view.state).toEqual({ kind: "ended", by: "us", text: "" });
      expect(views.at(-1)?.state.kind).toBe("ended");
    }
  });

  test("has hung up itself where both sides do at the same time", async () => {
    const bridge = new Bridge();
    const { phone } = telephone(bridge);
    void phone.call();
    await up(phone);
    const invite = bridge.of("INVITE")[0] as SipMessage;
    phone.hangUp();
    bridge.sockets[0]?.say(
      writeMessage("BYE sip:Ann@x SIP/2.0", [
        ["Via", "SIP/2.0/WSS bridge;branch=z9hG4bK3"],
        ["From", "<sip:conf-Board@bridge>;tag=theirs"],
        ["To", header(invite, "from") ?? ""],
        ["Call-ID", header(invite, "call-id") ?? ""],
        ["CSeq", "1 BYE"],
      ]),
    );
    await new Promise((done) => setTimeout(done, 5));
    expect(phone.view.state).toEqual({ kind: "ended", by: "us", text: "" });
  });

  test("takes an offer of the other side, and a session refresh without one", async () => {
    const bridge = new Bridge();
    const { phone, media } = telephone(bridge);
    void phone.call();
    await up(phone);
    const invite = bridge.of("INVITE")[0] as SipMessage;
    const within = (method: string, body: string) =>
      writeMessage(
        `${method} sip:Ann@x SIP/2.0`,
        [
          ["Via", "SIP/2.0/WSS bridge;branch=z9hG4bK2"],
          ["From", "<sip:conf-Board@bridge>;tag=theirs"],
          ["To", header(invite, "from") ?? ""],
          ["Call-ID", header(invite, "call-id") ?? ""],
          ["CSeq", `2 ${method}`],
          ["Session-Expires", "1800;refresher=uas"],
        ],
        body,
      );
    bridge.sockets[0]?.say(within("UPDATE", ""));
    await vi.waitFor(() =>
      expect(header(bridge.requests.at(-1) as SipMessage, "session-expires")).toBe("1800;refresher=uas"),
    );
    bridge.sockets[0]?.say(within("INVITE", "theirs"));
    await vi.waitFor(() => expect(bridge.requests.at(-1)?.body).toBe("mine"));
    expect(media.did).toContain("accept theirs");
  });
});
