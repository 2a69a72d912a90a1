import { describe, expect, it } from "vitest";
import { settingPaths } from "../lib/paths";
import { de } from "./de";
import { en } from "./en";
import { i18n, systemLanguage } from "./i18n.svelte";
import { problemText } from "./problem";

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

describe("the language", () => {
  it("is the first of the system's that there is a catalogue for", () => {
    expect(systemLanguage(["fr-FR", "de-AT", "en"])).toBe("de");
    expect(systemLanguage(["ja"])).toBe("en");
  });
});
