import { expect, test } from "vitest";
import { type CallMessage, kindOf, seriesOf } from "./messages";

const rtcp = (direction: CallMessage["direction"], loss: number, jitter: number): CallMessage => ({
  at: "2030-06-20T15:16:02Z",
  kind: "rtcp",
  direction,
  transport: "udp",
  from: "a",
  to: "b",
  summary: "SR",
  report: { ssrc: 1, goodbye: false, received: [{ ssrc: 2, loss, packets_lost: 1, jitter }] },
});

test("reports of both sides become two lines, jitter in milliseconds of the codec's clock", () => {
  const messages = [
    rtcp("sent", 0.1, 480),
    rtcp("received", 0.2, 960),
    { ...rtcp("sent", 0, 0), report: null },
  ];
  expect(seriesOf(messages, "opus")).toEqual({
    times: [1908198962, 1908198962],
    lossFrom: [0.1, null],
    lossTo: [null, 0.2],
    jitterFrom: [10, null],
    jitterTo: [null, 20],
  });
  expect(seriesOf(messages, "PCMU").jitterFrom[0]).toBe(60);
});

test("arrows show requests, refusals and reports apart", () => {
  const kinds = ["INVITE sip:a SIP/2.0", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK", "SIP/2.0 486 Busy"].map(
    (summary) => kindOf({ kind: "sip", summary }),
  );
  expect(kinds).toEqual(["request", "provisional", "success", "refused"]);
  expect(kindOf({ kind: "rtcp", summary: "SR" })).toBe("rtcp");
});
