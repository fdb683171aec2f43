import { describe, expect, test } from "vitest";
import { addresses, entryKeys, invitationOf, readCode, readLink, telephoneUri } from "./link";

describe("a link", () => {
  test("says what to call and with what", () => {
    const link = readLink(
      "/join/conf-Board",
      "#token=a.b.c&room=1001&pin=482913&number=%2B44%201632%20960000&title=Weekly",
    );
    expect(link).toMatchObject({
      service: "conf-Board",
      token: "a.b.c",
      room: "1001",
      pin: "482913",
      number: "+44 1632 960000",
      title: "Weekly",
      hasKeys: true,
    });
  });

  test("has no token that would end a header", () => {
    expect(readLink("/join/a", "#token=a.b-c_d~e%2Bf%2Fg%3D")).toMatchObject({ token: "a.b-c_d~e+f/g=" });
    for (const token of ["a%0d%0aX-Evil:%201", "a%20b", "a%00", "", "a%22b", "x".repeat(5000)]) {
      expect(readLink("/join/a", `#token=${token}`)).toMatchObject({ token: null });
    }
  });

  test("of a guest is a code, and the service says the rest", () => {
    const code = "abcdefghijklmnopqrstuvwxyz234567";
    expect(readCode(`/join/${code}`, "")).toBe(code);
    expect(readCode(`/join/${code}/`, "#")).toBe(code);
    for (const path of [
      "/join/conf-Board",
      `/join/${code}a`,
      `/join/${code.toUpperCase()}`,
      `/join/${code}/x`,
    ]) {
      expect(readCode(path, "")).toBeNull();
    }
    // A service may have such a name: then the link says with what it is called.
    expect(readCode(`/join/${code}`, "#token=a.b.c")).toBeNull();
    const opened = {
      title: "Weekly",
      starts_at: "2030-06-20T15:15:00Z",
      ends_at: "2030-06-20T15:45:00Z",
      service: "conf-Board",
      keys: true,
      number: "+44 1632 960000",
      room: "1001",
      has_pin: true,
    };
    expect(invitationOf(code, opened, "")).toMatchObject({
      service: "conf-Board",
      token: code,
      title: "Weekly",
      startsAt: "2030-06-20T15:15:00Z",
      number: "+44 1632 960000",
      phoneRoom: "1001",
      asksPhonePin: true,
      // The browser comes by the service, not by the entry: it keys nothing in.
      room: null,
      pin: null,
      hasKeys: true,
    });
    expect(invitationOf(code, { ...opened, service: null }, "")).toBeNull();

    // With the PIN behind it, which the telephone keys in and the browser does not.
    expect(readCode(`/join/${code}`, "#pin=482913")).toBe(code);
    const named = invitationOf(code, opened, "#pin=482913");
    expect(named).toMatchObject({ pin: null, phonePin: "482913", asksPhonePin: false });
    expect(named && telephoneUri(named)).toBe("tel:+441632960000,,1001%23,,482913%23");
    expect(invitationOf(code, opened, "#pin=1%0d%0a")).toMatchObject({ phonePin: null, asksPhonePin: true });
    expect(invitationOf(code, { ...opened, has_pin: false }, "#pin=482913")).toMatchObject({
      phonePin: null,
    });
  });

  test("names no room to a telephone where the entry asks for none", () => {
    const link = readLink("/join/meet", "#pin=4829&number=%2B44%201632%20960000");
    expect(link && telephoneUri(link)).toBe("tel:+441632960000,,4829%23");
  });

  test("names a service, and nothing that would change the address", () => {
    for (const path of [
      "/join/",
      "/join",
      "/join/a/b",
      "/join/a%40evil.example",
      "/join/%3Cx",
      "/join/%E0%A4%A",
    ]) {
      expect(readLink(path, "")).toBeNull();
    }
  });

  test("takes only digits for rooms and PINs", () => {
    expect(readLink("/join/a", "#room=12a&pin=1%0d%0a")).toMatchObject({ room: null, pin: null });
  });

  test("takes no token that would write headers of its own", () => {
    expect(readLink("/join/a", "#token=eyJ.x-_~%2B/=1")?.token).toBe("eyJ.x-_~+/=1");
    for (const token of ["a%0d%0aRoute:%20%3Csip:evil%3E", "a%20b", "a%00", ""])
      expect(readLink("/join/a", `#token=${token}`)).toMatchObject({ token: null });
  });

  test("becomes addresses, those of an access key with the cloud id of its account", () => {
    const plain = readLink("/join/+441632", "#token=x");
    expect(plain && addresses(plain, "example.org")).toEqual({
      uri: "sip:+441632@example.org;transport=tcp",
      host: "example.org",
    });
    const keyed = readLink("/join/conf-A", "#key=abc&cloud=1-2-0");
    expect(keyed && addresses(keyed, "example.org")).toEqual({
      uri: "sip:conf-A@sip-1-2-0.example.org;transport=tcp",
      host: "abc.webrtc-1-2-0.example.org",
    });
  });

  test("leads through the entry", () => {
    expect(entryKeys("1001", "4829")).toBe("1001#4829#");
    expect(entryKeys(null, "4829")).toBe("4829#");
    expect(entryKeys("1001", "")).toBe("1001#");
  });
});
