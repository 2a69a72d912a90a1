import { fireEvent, waitFor } from "@testing-library/svelte";
import { describe, expect, it, vi } from "vitest";
import { sampleEntries } from "../../../dev/data";
import { FakeProgram } from "../../../dev/fake";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";

async function openLog(): Promise<OpenWindow> {
  const program = new FakeProgram();
  program.entries = sampleEntries();
  const opened = await openWindow(program);
  await opened.user.click(byTestId("nav-log"));
  await waitFor(() => expect(document.querySelectorAll("tbody tr.entry").length).toBeGreaterThan(1));
  return opened;
}

function row(id: number): HTMLElement {
  return document.querySelector(`tr[data-key="${id}"]`) as HTMLElement;
}

describe("the Mail Log", () => {
  it("opens an entry to its checks in order, each with its result in words", async () => {
    const { user } = await openLog();
    await user.click(row(499));
    await waitFor(() => expect(shown("log-entry")).toBe(true));
    const steps = [...document.querySelectorAll('[data-testid="step"]')];
    expect(steps.map((step) => step.getAttribute("data-result"))).toContain("refuse");
    expect(steps[6]?.textContent).toContain("refused");
    expect(steps[6]?.textContent).toContain("larger than the limit of 25 MB");
    expect(await violations()).toEqual([]);
  });

  it("tells what became of the message after it was taken", async () => {
    const { user } = await openLog();
    await user.click(row(500));
    await waitFor(() => expect(shown("deliveries")).toBe(true));
    expect(byTestId("deliveries").textContent).toContain("to bob@office.example");
    expect(byTestId("deliveries").textContent).toContain("delivered");
    await user.click(row(499));
    await waitFor(() => expect(shown("deliveries")).toBe(false));
  });

  it("leads from a check to the control of its setting", async () => {
    const { user } = await openLog();
    await user.click(row(499));
    await waitFor(() => expect(shown("log-entry")).toBe(true));
    const refused = document.querySelector('[data-check="max_message_size_mb"] button') as HTMLElement;
    await user.click(refused);
    await waitFor(() => expect(document.activeElement?.id).toBe("general.max_message_size_mb"));
  });

  it("shows addresses in letters", async () => {
    await openLog();
    expect(row(499).textContent).toContain("anna@bücher.example");
    expect(row(499).innerHTML).toContain("anna@xn--bcher-kva.example");
  });

  it("opens what a typed token stands for", async () => {
    const { user } = await openLog();
    await user.type(field("log.search"), "w4h0qx{Enter}");
    await waitFor(() => expect(byTestId("log-entry").dataset.token).toBe("W4H0QX"));
    expect(document.querySelectorAll("tbody tr.entry")).toHaveLength(1);
    await user.click(byTestId("log.clear"));
    await waitFor(() => expect(document.querySelectorAll("tbody tr.entry").length).toBeGreaterThan(1));
  });

  it("finds the entry a whole pasted bounce is about", async () => {
    await openLog();
    const bounce =
      "Your message could not be delivered:\r\n\r\n550 5.1.1 <nobody@office.example>: no such user here [W4H0QX]\r\n";
    await fireEvent.paste(field("log.search"), { clipboardData: { getData: () => bounce } });
    await waitFor(() => expect(byTestId("log-entry").dataset.token).toBe("W4H0QX"));
    expect(text()).toContain("1 entry found by token");
  });

  it("lists all entries that a pasted bounce names, and opens either", async () => {
    const { user } = await openLog();
    const bounce = "550 5.1.1 no such user here [W4H0QX]\r\n550 5.7.1 relay denied [9XRD41]\r\n";
    await fireEvent.paste(field("log.search"), { clipboardData: { getData: () => bounce } });
    await waitFor(() => expect(document.querySelectorAll("tbody tr.entry")).toHaveLength(2));
    const rows = [...document.querySelectorAll<HTMLElement>("tbody tr.entry")];
    expect(new Set(rows.map((found) => found.dataset.key)).size).toBe(2);
    const opened = new Set<string | undefined>();
    for (const found of rows) {
      await user.click(found);
      await waitFor(() => expect(found.getAttribute("aria-selected")).toBe("true"));
      expect(document.querySelectorAll('tbody tr[aria-selected="true"]')).toHaveLength(1);
      opened.add(byTestId("log-entry").dataset.token);
    }
    expect([...opened].sort()).toEqual(["9XRD41", "W4H0QX"]);
  });

  it("filters by text, outcome and time", async () => {
    const { program, user } = await openLog();
    await user.selectOptions(byTestId("log.outcome"), "refused");
    await user.selectOptions(byTestId("log.period"), "ever");
    await user.type(field("log.search"), "nobody{Enter}");
    await waitFor(() => {
      const filter = program.called("journal_list").at(-1)?.filter;
      expect(filter).toMatchObject({ text: "nobody", outcome: "refused", since_ms: null, before_id: null });
    });
    await waitFor(() => expect(document.querySelectorAll("tbody tr.entry")).toHaveLength(3));
  });

  it("copies an entry as the command line prints it", async () => {
    const { user } = await openLog();
    const written = vi.spyOn(navigator.clipboard, "writeText");
    await user.click(row(499));
    await waitFor(() => expect(shown("copy-entry")).toBe(true));
    await user.click(byTestId("copy-entry"));
    await waitFor(() => expect(written).toHaveBeenCalledWith("Entry K7QF2M"));
  });
});
