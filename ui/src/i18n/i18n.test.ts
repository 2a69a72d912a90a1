import { describe, expect, it } from "vitest";
import { settingPaths } from "../lib/paths";
import { de } from "./de";
import { en } from "./en";
import { i18n, systemLanguage } from "./i18n.svelte";
import { noticeText, problemText } from "./problem";
import { troubles } from "./trouble";

function keys(node: unknown, at = ""): string[] {
  if (typeof node !== "object" || node === null) return [`${at}:${typeof node}`];
  return Object.entries(node).flatMap(([key, value]) => keys(value, `${at}/${key}`));
}

function strings(node: unknown, at = ""): [string, string][] {
  if (typeof node === "string") return [[at, node]];
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => strings(value, `${at}/${key}`));
}

describe("the catalogues", () => {
  it("have the same keys with the same kinds of value", () => {
    expect(keys(de).sort()).toEqual(keys(en).sort());
  });

  it("have no empty text", () => {
    for (const [at, text] of [...strings(en), ...strings(de)]) expect(text.trim(), at).not.toBe("");
  });

  it("name and explain every setting of the window", () => {
    for (const path of settingPaths) {
      expect(en.fields[path].label).toBeTruthy();
      expect(de.fields[path].help).toBeTruthy();
    }
  });

  it("leave no help text in English in the German one", () => {
    for (const path of settingPaths) expect(de.fields[path].help).not.toBe(en.fields[path].help);
  });

  it("count in words", () => {
    expect(en.draft.changes(1, "General")).toBe("1 change in General");
    expect(en.draft.changes(2, "General")).toBe("2 changes in General");
    expect(de.draft.changes(2, "Allgemein")).toBe("2 Änderungen in Allgemein");
  });
});

describe("a problem", () => {
  const refused = { path: "users.x.password", code: "password_too_short", args: { min: "8" } };

  it("is said as the program says it, as a sentence", () => {
    i18n.choose("en");
    expect(problemText({ ...refused, message: "the password needs 8" })).toBe("The password needs 8.");
  });

  it("is said in German by its code, and in English where the code is new", () => {
    i18n.choose("de");
    expect(problemText({ ...refused, message: "x" })).toBe("Das Kennwort braucht mindestens 8 Zeichen.");
    expect(problemText({ ...refused, code: "brand_new", message: "say so" })).toBe("Say so.");
    i18n.choose("system");
  });
});

describe("the trouble of a server that runs", () => {
  it("is said in both languages, with what it means and what to do", () => {
    expect(Object.keys(troubles.de)).toEqual(Object.keys(troubles.en));
    for (const cause of ["full", "unwritable", "busy"]) {
      const args = { cause, place: "", detail: "", behind: "false" };
      const [en, de] = [troubles.en.storage_failing?.(args), troubles.de.storage_failing?.(args)];
      expect(en?.message).toContain("New mail is put off");
      expect(de?.message).toContain("Neue Mail wird aufgeschoben");
      expect(`${en?.message} ${en?.action}`).not.toMatch(/undefined| {2}/);
    }
  });

  it("does not say of mail that the database has not taken that it is not delivered", () => {
    const [en, de] = [troubles.en.queue_behind?.({}), troubles.de.queue_behind?.({})];
    expect(en?.message).toContain("New mail is put off");
    expect(en?.action).toContain("may have been delivered already");
    expect(de?.message).toContain("Neue Mail wird aufgeschoben");
    expect(de?.action).toContain("kann schon zugestellt sein");
  });

  it("keeps the program's own words where it names no values", () => {
    i18n.choose("en");
    const notice = { code: "spool_set_aside", severity: "warning", action: null, pane: "general" } as const;
    const message = "it lies in /srv/spool-1 now";
    expect(noticeText({ ...notice, message }, null).detail).toBe(message);
    const problem = { path: "", code: notice.code, message, args: { folder: "/srv/spool-1" } };
    const told = noticeText({ ...notice, message }, problem);
    expect(told.message).toContain("put aside in /srv/spool-1");
    expect(told.detail).toBeNull();
    expect(told.pane).toBeNull();
    i18n.choose("system");
  });
});

describe("the language", () => {
  it("is the first of the system's that there is a catalogue for", () => {
    expect(systemLanguage(["fr-FR", "de-AT", "en"])).toBe("de");
    expect(systemLanguage(["ja"])).toBe("en");
  });
});
