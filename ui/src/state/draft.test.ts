import { clearMocks, mockIPC } from "@tauri-apps/api/mocks";
import { beforeEach, describe, expect, it } from "vitest";
import { FakeProgram } from "../../dev/fake";
import { Draft } from "./draft.svelte";

let program: FakeProgram;
let draft: Draft;

beforeEach(async () => {
  clearMocks();
  program = new FakeProgram();
  mockIPC((command, args) => program.answer(command, args as Record<string, unknown>));
  draft = new Draft();
  await draft.load();
});

describe("the draft", () => {
  it("holds only what differs from the settings in force", () => {
    draft.set("general.max_recipients", 300);
    draft.set("general.hostname", "mx.office.example");
    expect(draft.document()).toEqual({ general: { max_recipients: 300, hostname: "mx.office.example" } });
    expect(draft.changesByPane()).toEqual([["general", 2]]);

    draft.set("general.max_recipients", 200);
    expect(draft.changed).toEqual(["general.hostname"]);
  });

  it("counts service settings where they are edited", () => {
    draft.set("service.journal_days", 30);
    draft.set("general.max_hops", 40);
    expect(draft.changesByPane()).toEqual([["general", 2]]);
  });

  it("compares lists by what is in them", () => {
    draft.set("general.additional_domains", ["a.example"]);
    expect(draft.dirty).toBe(true);
    draft.set("general.additional_domains", ["bücher.example", "head-office.example"]);
    expect(draft.dirty).toBe(false);
  });

  it("becomes one revision and is empty afterwards", async () => {
    draft.set("general.max_hops", 40);
    expect(await draft.apply("1 change in General")).toEqual({ result: "applied", notes: [] });
    expect(program.called("settings_apply")).toEqual([
      { document: { general: { max_hops: 40 } }, base_revision: 7, reason: "1 change in General" },
    ]);
    expect(draft.dirty).toBe(false);
    expect(draft.value("general.max_hops")).toBe(40);
    expect(draft.revision).toBe(8);
  });

  it("keeps everything when a value is refused, and says which", async () => {
    draft.set("general.max_hops", 4000);
    draft.set("general.max_recipients", 300);
    expect((await draft.apply("")).result).toBe("refused");
    expect(draft.problemsAt("general.max_hops").map((problem) => problem.code)).toEqual(["out_of_range"]);
    expect(draft.value("general.max_recipients")).toBe(300);
    expect(program.settings.general.max_recipients).toBe(200);
  });

  it("asks for a verdict while the person types", async () => {
    draft.set("general.hostname", "mail");
    await draft.check();
    expect(draft.refusedPaths()).toEqual(["general.hostname"]);
    draft.set("general.hostname", "mail.office.example");
    await draft.check();
    expect(draft.refusedPaths()).toEqual([]);
  });

  it("does not send text that is no number", async () => {
    draft.setMalformed("general.max_hops", "many");
    expect(draft.dirty).toBe(true);
    expect((await draft.apply("")).result).toBe("refused");
    expect(program.called("settings_apply")).toEqual([]);
    expect(draft.refusedPaths()).toEqual(["general.max_hops"]);
    draft.set("general.max_hops", 50);
    expect(draft.dirty).toBe(false);
  });

  it("meets a conflict without losing either side", async () => {
    draft.set("general.max_hops", 40);
    program.settings.general.banner = "ESMTP other";
    program.status.revision = 9;
    expect((await draft.apply("")).result).toBe("conflict");
    expect(draft.conflict).toBe(true);

    await draft.keepMine();
    expect(draft.value("general.banner")).toBe("ESMTP other");
    expect(draft.value("general.max_hops")).toBe(40);
    expect((await draft.apply("")).result).toBe("applied");
  });

  it("follows outside changes to accounts while changes are in progress", async () => {
    draft.set("general.max_hops", 40);
    program.settings.users.push({ name: "zoe", display_name: "", enabled: true });
    program.settings.general.banner = "ESMTP other";
    program.status.revision = 9;
    await draft.load();
    expect(draft.saved?.users.map((user) => user.name)).toContain("zoe");
    expect(draft.revision).toBe(7);
    expect((await draft.apply("")).result).toBe("conflict");
  });

  it("says why when Apply fails for no field's fault", async () => {
    program.failures.set("settings_apply", { kind: "io", message: "the disk is full", problems: [] });
    draft.set("general.max_hops", 40);
    expect((await draft.apply("")).result).toBe("failed");
    expect(draft.failure).toBe("the disk is full");
    expect(draft.value("general.max_hops")).toBe(40);
  });

  it("is given up by Discard", async () => {
    draft.set("general.max_hops", 40);
    draft.setMalformed("general.max_recipients", "x");
    draft.discard();
    expect(draft.dirty).toBe(false);
    expect(draft.value("general.max_hops")).toBe(50);
  });
});
