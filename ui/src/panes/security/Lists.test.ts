import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { FakeProgram } from "../../../dev/fake";
import { sampleImport } from "../../../dev/fakeSecurity";
import { manyRules, sampleHits, sampleRules } from "../../../dev/securityData";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";
import { newRule } from "../../lib/lists";

async function openLists(shape: (program: FakeProgram) => void = () => undefined): Promise<OpenWindow> {
  const program = new FakeProgram();
  program.settings.security.lists = sampleRules();
  program.security.hits = sampleHits();
  program.security.importLines = sampleImport(newRule);
  program.chosenFile = "/etc/postfix/sender_access";
  shape(program);
  const opened = await openWindow(program);
  await opened.user.click(byTestId("nav-security"));
  await waitFor(() => expect(shown("rules-table")).toBe(true));
  return opened;
}

function row(name: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(`tr[data-key="${name}"]`);
  if (found === null) throw new Error(`no row ${name}`);
  return found;
}

function rows(): string[] {
  return [...document.querySelectorAll<HTMLElement>("#rules-table tr.entry")].map(
    (found) => found.dataset.key ?? "",
  );
}

function cells(criterion: string): string[] {
  return [...document.querySelectorAll(`tr[data-criterion="${criterion}"] td`)].map(
    (cell) => cell.textContent ?? "",
  );
}

const runs = "still runs";
const skips = "skips";

describe("the black and white lists", () => {
  it("show each rule with what it does and its hits, and have no axe violation", async () => {
    const { user } = await openLists();
    await waitFor(() => expect(row("Newsletter spam").textContent).toContain("214"));
    expect(row("Newsletter spam").textContent).toContain("Reject");
    expect(row("Bank").textContent).toContain("Skips all five tests");
    expect(row("Head office").textContent).toContain("Skips all but DNSBL");
    expect(row("Press").textContent).toContain("Skips SPF, Antivirus");
    expect(row("Bücher").textContent).toContain("@bücher.example");
    expect(row("Retired").textContent).toContain("off");
    expect(row("Retired").textContent).toContain("never");
    expect(await violations()).toEqual([]);
    await user.click(row("Head office"));
    expect(await violations()).toEqual([]);
  });

  it("are searched and filtered", async () => {
    const { user } = await openLists();
    await user.keyboard("{Control>}f{/Control}");
    expect(document.activeElement?.id).toBe("rules.search");
    await user.keyboard("asked to stop");
    expect(rows()).toEqual(["Newsletter spam"]);
    expect(byTestId("rules.count").textContent).toBe("1 of 8");
    await user.clear(field("rules.search"));
    await user.selectOptions(byTestId("rules.list"), "white");
    await user.selectOptions(byTestId("rules.criterion"), "ip_mask");
    expect(rows()).toEqual(["Partner network"]);
  });

  it("take a new rule and show what is refused at its field", async () => {
    const { program, user } = await openLists();
    await user.keyboard("{Control>}n{/Control}");
    await waitFor(() => expect(document.activeElement?.id).toBe("rule.name"));
    await user.keyboard("Bank");
    await user.type(field("rule.value"), "deals.example");
    await user.click(byTestId("rule-save"));
    await waitFor(() => expect(field("rule.value").getAttribute("aria-invalid")).toBe("true"));
    expect(document.getElementById("rule.name.problem")?.textContent).toContain("another rule");
    expect(document.getElementById("rule.value.problem")?.textContent).toContain("has no @");
    await user.type(field("rule.name"), " robbers");
    await user.type(field("rule.value"), "{Home}@", { initialSelectionStart: 0 });
    await user.click(byTestId("rule-save"));
    await waitFor(() => expect(rows()).toContain("Bank robbers"));
    expect(shown("rule-editor")).toBe(false);
    expect(program.called("list_set").at(-1)).toEqual({
      name: null,
      rule: newRule({ name: "Bank robbers", value: "@deals.example" }),
    });
  });

  it("say what is wrong with a value while it is typed", async () => {
    const { user } = await openLists();
    await user.click(byTestId("rules.create"));
    await user.selectOptions(byTestId("rule.criterion"), "ip");
    await user.type(field("rule.value"), "not me");
    await waitFor(() =>
      expect(document.getElementById("rule.value.problem")?.textContent).toContain("not an IP address"),
    );
  });

  it("show which of the five tests a white rule skips, for each criterion", async () => {
    const { user } = await openLists();
    await user.click(row("Head office"));
    expect(cells("domain")).toEqual([runs, skips, skips, skips, skips]);
    expect(document.querySelectorAll("tr[data-criterion]")).toHaveLength(1);
    await user.click(byTestId("compare"));
    expect(cells("ip")).toEqual([skips, skips, skips, skips, skips]);
    expect(cells("ip_mask")).toEqual([skips, skips, runs, skips, skips]);
    expect(cells("sender")).toEqual([runs, skips, skips, runs, runs]);
    expect(cells("recipient")).toEqual([runs, skips, skips, runs, runs]);
    expect(byTestId("rule-effect").textContent).toContain("It can still be refused by DNSBL");
    await waitFor(() => expect(byTestId("rule-hits").textContent).toContain("Matched 96 messages"));
  });

  it("warn of what anybody can forge, and not of an IP", async () => {
    const { user } = await openLists();
    for (const name of ["Head office", "Bücher", "Press"]) {
      await user.click(row(name));
      expect(byTestId("rule-forgeable").textContent).toContain("Anybody can write this");
    }
    await user.click(row("Bank"));
    expect(shown("rule-forgeable")).toBe(false);
    expect(byTestId("rule-effect").textContent).toContain("spared the rules of the other tabs as well");
  });

  it("warn that discarding loses mail silently, and of a mask with holes", async () => {
    const { user } = await openLists();
    await user.click(row("Newsletter spam"));
    expect(shown("rule-discard")).toBe(false);
    await user.selectOptions(byTestId("rule.action"), "discard");
    expect(byTestId("rule-discard").textContent).toContain("loses mail silently");
    await user.click(byTestId("rule-cancel"));
    await user.click(row("Old supplier"));
    await waitFor(() => expect(byTestId("rule-note").textContent).toContain("not contiguous"));
  });

  it("name the rule that makes another one pointless, and lead to it", async () => {
    const { program, user } = await openLists();
    await user.click(byTestId("rules.create"));
    await user.selectOptions(byTestId("rule.criterion"), "ip");
    await user.type(field("rule.value"), "198.51.100.20");
    await waitFor(() =>
      expect(byTestId("rule-pointless").textContent).toContain("white rule “Bank” lets it through"),
    );
    expect(program.called("lists_analyse").at(-1)?.name).toBeNull();
    await user.click(byTestId("rule-cancel"));
    await user.click(row("Bank"));
    await waitFor(() => expect(program.called("lists_analyse").at(-1)?.name).toBe("Bank"));
    expect(shown("rule-pointless")).toBe(false);
  });

  it("offer Domain for white rules only and an action for black ones only", async () => {
    const { user } = await openLists();
    await user.click(row("Head office"));
    expect(shown("rule.action")).toBe(false);
    await user.selectOptions(byTestId("rule.list"), "black");
    expect((byTestId("rule.criterion") as HTMLSelectElement).value).toBe("sender");
    expect(byTestId("rule.criterion").querySelector('option[value="domain"]')).toBeNull();
    expect(shown("rule.action")).toBe(true);
  });

  it("take a deletion back", async () => {
    const { program, user } = await openLists();
    row("Old supplier").focus();
    await user.keyboard("{Delete}");
    await waitFor(() => expect(rows()).not.toContain("Old supplier"));
    await user.keyboard("{Control>}z{/Control}");
    await waitFor(() => expect(rows()).toContain("Old supplier"));
    expect(program.settings.security.lists).toEqual(sampleRules());
    expect(text()).toContain("“Old supplier” is back");
  });

  it("are not all read again after each change, unless somebody else has changed something", async () => {
    const { program, user } = await openLists();
    const reads = () => program.called("settings_get").length;
    const before = reads();
    await user.click(row("Bank"));
    await user.type(field("rule.name"), " 2");
    await user.click(byTestId("rule-save"));
    await waitFor(() => expect(rows()).toContain("Bank 2"));
    expect(rows()).not.toContain("Bank");
    row("Bank 2").focus();
    await user.keyboard("{Delete}");
    await waitFor(() => expect(rows()).not.toContain("Bank 2"));
    await user.keyboard("{Control>}z{/Control}");
    await waitFor(() => expect(rows()).toContain("Bank 2"));
    expect(reads()).toBe(before);
    program.settings.security.lists.push(newRule({ name: "Zoo", value: "zoo@far.example" }));
    program.status.revision++;
    row("Old supplier").focus();
    await user.keyboard("{Delete}");
    await waitFor(() => expect(rows()).toContain("Zoo"));
    expect(rows()).not.toContain("Old supplier");
    expect(reads()).toBe(before + 1);
  });

  it("are walked through with the keyboard", async () => {
    const { user } = await openLists();
    row("Bank").focus();
    await user.keyboard("{ArrowDown}{ArrowDown}{Enter}");
    await waitFor(() => expect(document.activeElement?.id).toBe("rule.value"));
    expect(field("rule.value").value).toBe("head.example");
    await user.keyboard("{Escape}");
    expect(shown("rule-editor")).toBe(false);
  });

  it("do not let a half-changed rule go unnoticed", async () => {
    const { user } = await openLists();
    await user.click(row("Bank"));
    await user.click(byTestId("rule.enabled"));
    await user.click(row("Press"));
    expect(field("rule.name").value).toBe("Bank");
    expect(text()).toContain("Save or cancel this one first.");
    await user.click(byTestId("security-tab-advanced"));
    await user.click(byTestId("security-tab-lists"));
    expect(field("rule.name").value).toBe("Bank");
  });

  it("hold a hundred thousand rules with few rows", async () => {
    const { user } = await openLists((program) => (program.settings.security.lists = manyRules(100_000)));
    expect(rows().length).toBeLessThan(100);
    expect(byTestId("rules.count").textContent).toBe("100,000 entries");
    await user.type(field("rules.search"), "spam99998");
    expect(rows()).toEqual(["Rule 099999"]);
  });
});

describe("a file of rules", () => {
  it("is shown line by line before anything of it is stored", async () => {
    const { program, user } = await openLists();
    await user.click(byTestId("rules.import"));
    await waitFor(() => expect(byTestId("import.summary").textContent).toContain("2 new"));
    expect(byTestId("import").textContent).toContain("sender_access");
    expect(row("9").textContent).toContain("FILTER has no equal here");
    expect(await violations()).toEqual([]);
    expect(program.called("lists_import")).toEqual([]);
    await user.click(byTestId("import.only"));
    expect(document.querySelectorAll("#import-table tr.entry")).toHaveLength(4);
    await user.selectOptions(byTestId("import.existing"), "replace");
    await waitFor(() => expect(byTestId("import.run").textContent).toContain("Import 3 rules"));
    await user.selectOptions(byTestId("import.addresses"), "recipient");
    await waitFor(() => expect(program.called("lists_import_preview")).toHaveLength(3));
    await user.click(byTestId("import.run"));
    await waitFor(() => expect(rows()).toContain("promo@deals.example"));
    expect(program.called("lists_import")).toEqual([
      {
        import: {
          path: "/etc/postfix/sender_access",
          format: null,
          addresses: "recipient",
          existing: "replace",
        },
      },
    ]);
    expect(byTestId("toasts").textContent).toContain("2 rules added, 1 changed, 3 lines not taken");
  });

  it("that cannot be read is refused in words, and another one can be chosen", async () => {
    const { program, user } = await openLists((fake) =>
      fake.failures.set("lists_import_preview", {
        kind: "io",
        message: "sender_access cannot be read: permission denied",
        problems: [],
      }),
    );
    await user.click(byTestId("rules.import"));
    await waitFor(() => expect(byTestId("import.failure").textContent).toContain("permission denied"));
    expect((byTestId("import.run") as HTMLButtonElement).disabled).toBe(true);
    program.failures.clear();
    await user.click(byTestId("import.another"));
    await waitFor(() => expect(byTestId("import.summary").textContent).toContain("2 new"));
    await user.click(byTestId("import.cancel"));
    expect(shown("rules-table")).toBe(true);
  });

  it("is written where the person says", async () => {
    const { program, user } = await openLists();
    await user.selectOptions(byTestId("rules.export"), "recipients");
    await waitFor(() => expect(byTestId("toasts").textContent).toContain("8 rules written."));
    expect(program.called("choose_save")).toEqual([
      { title: "Write the rules to a file", name: "recipient_access" },
    ]);
    expect(program.called("lists_export")).toEqual([
      { path: "rules.csv", format: "access", addresses: "recipient" },
    ]);
  });
});
