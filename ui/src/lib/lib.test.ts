import { describe, expect, it } from "vitest";
import { i18n } from "../i18n/i18n.svelte";
import { attachmentRoom, greeting } from "./banner";
import { formatIn } from "./format";
import { forDisplay, toAscii, toUnicode } from "./idn";
import { concerns, documentOf, paneOf } from "./paths";
import { attemptsUntil, parts } from "./retries";
import { isBounce, isToken } from "./token";
import { bareFingerprint, withColons } from "./transcript";
import { scrollFor, visibleRows } from "./virtual";

describe("the greeting", () => {
  it("begins with the host name even when the text does not", () => {
    expect(greeting("mail.office.example", "ESMTP Postroom")).toBe("220 mail.office.example ESMTP Postroom");
  });
  it("does not say the host name twice", () => {
    expect(greeting("mail.office.example", "Mail.Office.example ESMTP")).toBe(
      "220 Mail.Office.example ESMTP",
    );
  });
  it("gets the word ESMTP where it is missing", () => {
    expect(greeting("m.example", "hello")).toBe("220 m.example hello ESMTP");
    expect(greeting("m.example", "")).toBe("220 m.example ESMTP");
  });
});

describe("the room for attachments", () => {
  it("is what base64 leaves of a limit", () => {
    expect(attachmentRoom(25)).toBe(18);
    expect(attachmentRoom(1)).toBe(0);
  });
});

describe("a domain name", () => {
  it("is shown in letters and hovered in the wire form", () => {
    expect(toUnicode("xn--bcher-kva.example")).toBe("bücher.example");
    expect(forDisplay("anna@xn--bcher-kva.example")).toEqual({
      text: "anna@bücher.example",
      title: "anna@xn--bcher-kva.example",
    });
    expect(forDisplay("anna@office.example").title).toBeNull();
  });
  it("loses the angle brackets of the protocol", () => {
    expect(forDisplay("<anna@office.example>").text).toBe("anna@office.example");
    expect(forDisplay("<>").text).toBe("");
  });
  it("of other scripts is decoded too", () => {
    expect(toUnicode("xn--fiqs8s.xn--e1afmkfd")).toBe("中国.пример");
    expect(toAscii("bücher.example")).toBe("xn--bcher-kva.example");
  });
  it("that is no valid A-label stays as it is", () => {
    for (const bad of ["xn--99999999999", "xn--ab-\u00e4", "xn--", "xn--!"]) expect(toUnicode(bad)).toBe(bad);
  });
});

describe("a setting path", () => {
  it("nests into a document that names nothing else", () => {
    expect(
      documentOf([
        ["general.max_hops", 9],
        ["service.mailbox", { maildir: null }],
      ]),
    ).toEqual({ general: { max_hops: 9 }, service: { mailbox: { maildir: null } } });
  });
  it("is concerned by problems inside it, not by namesakes", () => {
    expect(concerns("general.additional_domains[1]", "general.additional_domains")).toBe(true);
    expect(concerns("service.certificate.key", "service.certificate")).toBe(true);
    expect(concerns("service.submissions", "service.submission")).toBe(false);
  });
  it("leads to the pane that edits it", () => {
    expect(paneOf("service.smtp")).toBe("general");
    expect(paneOf("users.alice.name")).toBe("users");
    expect(paneOf("service.mailbox.lmtp")).toBe("delivery");
    expect(paneOf("delivery.relay_server")).toBe("delivery");
    expect(paneOf("queue")).toBe("queue");
    expect(paneOf("history")).toBeNull();
  });
});

describe("a search", () => {
  it("may be a token, with brackets or without, in any case", () => {
    expect(isToken("[K7QF2M]")).toBe(true);
    expect(isToken(" k7qf2m ")).toBe(true);
    expect(isToken("alice@office.example")).toBe(false);
  });
  it("that was pasted with lines or a reply in it is a bounce", () => {
    expect(isBounce("550 5.1.1 <x@y.example>: no such user here [K7QF2M]")).toBe(true);
    expect(isBounce("Reporting-MTA: dns; a\nStatus: 5.1.1")).toBe(true);
    expect(isBounce("[K7QF2M]")).toBe(false);
  });
});

describe("a long table", () => {
  it("keeps all rows below a thousand", () => {
    expect(visibleRows(999, 37, 5000, 400)).toEqual({ from: 0, to: 999, before: 0, after: 0 });
  });
  it("of a hundred thousand rows holds only those in view, and its full height", () => {
    const part = visibleRows(100_000, 37, 1_850_000, 600);
    expect(part.to - part.from).toBeLessThan(60);
    expect(part.before + part.after + (part.to - part.from) * 37).toBe(3_700_000);
    expect(visibleRows(1000, 37, 999_999, 600).to).toBe(1000);
  });
  it("scrolls just as far as a row needs", () => {
    expect(scrollFor(3, 37, 0, 600, 37)).toBeNull();
    expect(scrollFor(0, 37, 500, 600, 37)).toBe(0);
    expect(scrollFor(100, 37, 0, 600, 37)).toBe(101 * 37 + 37 - 600);
  });
});

describe("a retry schedule", () => {
  it("ends where the mail goes back", () => {
    expect(attemptsUntil([5, 10, 20, 40, 60], 120)).toBe(123);
    expect(attemptsUntil([60], 1)).toBe(2);
    expect(attemptsUntil([1440], 1)).toBe(1);
    expect(attemptsUntil([], 5)).toBe(1);
  });
  it("has waits that are used once and one that goes on", () => {
    expect(parts([5, 10, 60])).toEqual({ once: [5, 10], again: 60 });
    expect(parts([5, 60, 60])).toEqual({ once: [5], again: 60 });
    expect(parts([])).toEqual({ once: [], again: null });
  });
});

describe("a moment to come", () => {
  const now = Date.UTC(2026, 0, 1);
  it("is told in whole units", () => {
    i18n.choose("en");
    expect(formatIn(now + 30_000, now)).toBeNull();
    expect(formatIn(now + 12 * 60_000, now)).toBe("in 12 minutes");
    expect(formatIn(now + 3 * 3_600_000, now)).toBe("in 3 hours");
    i18n.choose("de");
    expect(formatIn(now + 12 * 60_000, now)).toBe("in 12 Minuten");
    i18n.choose("system");
  });
});

describe("a fingerprint", () => {
  it("is the same with colons and without", () => {
    expect(withColons("9f86d0")).toBe("9F:86:D0");
    expect(bareFingerprint("9F:86 D0")).toBe("9f86d0");
  });
});
