import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { FakeProgram } from "../../../dev/fake";
import { manyWaiting, paused, waiting } from "../../../dev/queueData";
import { byTestId, field, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";
import type { QueueRow } from "../../lib/types";
import { queue } from "../../state/queue.svelte";

async function openQueue(shape: (program: FakeProgram) => void = () => undefined): Promise<OpenWindow> {
  const program = new FakeProgram();
  program.queue.rows = waiting();
  program.queue.paused = paused();
  shape(program);
  const opened = await openWindow(program);
  await opened.user.click(byTestId("nav-queue"));
  await waitFor(() => expect(queue.loaded).toBe(true));
  return opened;
}

function row(id: number): HTMLElement {
  const found = document.querySelector<HTMLElement>(`tr[data-key="${id}"]`);
  if (found === null) throw new Error(`no row ${id}`);
  return found;
}

function box(id: number): HTMLInputElement {
  return row(id).querySelector("input") as HTMLInputElement;
}

function marked(): string[] {
  return [...document.querySelectorAll<HTMLElement>('tr.entry[aria-selected="true"]')].map(
    (found) => found.dataset.key ?? "",
  );
}

describe("the Queue pane", () => {
  it("lists what waits with its reason, and has no axe violation", async () => {
    const { user } = await openQueue((program) => (program.queue.rows = waiting().slice(0, 6)));
    expect(row(8999).textContent).toContain("orders@far-away.example");
    expect(row(8999).textContent).toContain("none of the 3 servers of far-away.example could be reached");
    expect(row(9000).textContent).toContain("einkauf@müller-brombach.example");
    expect(row(8996).textContent).toContain("on hold");
    expect(byTestId("queue-counts").textContent).toContain("6 recipients waiting");
    expect(await violations()).toEqual([]);
    await user.click(row(8999));
    await waitFor(() => expect(shown("queue-entry")).toBe(true));
    expect(await violations()).toEqual([]);
  });

  it("says what an empty queue means", async () => {
    await openQueue((program) => (program.queue.rows = []));
    expect(byTestId("queue-empty").textContent).toContain("Nothing is waiting");
    expect(shown("count-queue")).toBe(false);
    expect(await violations()).toEqual([]);
  });

  it("counts what waits beside its name", async () => {
    await openQueue();
    await waitFor(() => expect(byTestId("count-queue").textContent?.trim()).toBe("29"));
  });

  it("finds by text and state", async () => {
    const { program, user } = await openQueue();
    await user.keyboard("{Control>}f{/Control}");
    expect(document.activeElement?.id).toBe("queue.search");
    await user.keyboard("greylisting{Enter}");
    await waitFor(() => expect(document.querySelectorAll("tr.entry")).toHaveLength(1));
    await user.clear(field("queue.search"));
    await user.selectOptions(byTestId("queue.state"), "held");
    await waitFor(() => {
      const filter = program.called("queue_list").at(-1)?.filter;
      expect(filter).toEqual({ text: "", state: "held", destination: null });
    });
    await waitFor(() => expect(text()).toContain("1 of 1 recipient shown"));
  });

  it("opens an entry with its attempts and header, and the mail log by its token", async () => {
    const { program, user } = await openQueue();
    await user.click(row(8998));
    await waitFor(() => expect(shown("queue-entry")).toBe(true));
    expect(byTestId("queue-reason").textContent).toContain("452 4.2.2 mailbox full");
    expect(document.querySelectorAll('[data-testid="attempt"]')).toHaveLength(3);
    expect(byTestId("queue-headers").textContent).toContain("Message-ID:");
    await user.click(byTestId("entry.log"));
    await waitFor(() => expect(program.called("journal_open")).toEqual([{ text: "Q00002" }]));
    expect(shown("pane-log")).toBe(true);
  });

  it("marks with the box, a range with Shift, and all that are shown", async () => {
    const { user } = await openQueue();
    await user.click(box(9000));
    await user.keyboard("{Shift>}");
    await user.click(box(8997));
    await user.keyboard("{/Shift}");
    expect(marked()).toEqual(["9000", "8999", "8998", "8997"]);
    expect(shown("queue-entry")).toBe(false);
    await user.click(box(8998));
    expect(marked()).toEqual(["9000", "8999", "8997"]);
    expect(byTestId("queue-counts").textContent).toContain("3 selected");
    await user.click(byTestId("mark-all"));
    expect(marked()).toHaveLength(30);
    await user.click(byTestId("unmark"));
    expect(marked()).toEqual([]);
  });

  it("is used with the keyboard", async () => {
    const { program, user } = await openQueue();
    row(9000).focus();
    await user.keyboard("{ArrowDown} ");
    await waitFor(() => expect(document.activeElement).toBe(row(8999)));
    expect(shown("queue-entry")).toBe(false);
    await user.keyboard("{Shift>}{ArrowDown}{ArrowDown}{/Shift}");
    expect(marked()).toEqual(["8999", "8998", "8997"]);
    await user.keyboard("{Enter}");
    await waitFor(() => expect(shown("queue-entry")).toBe(true));
    await user.keyboard("{Delete}");
    await waitFor(() => expect(text()).toContain("Delete mail to 3 recipients?"));
    await user.click(byTestId("queue-no"));
    expect(program.called("queue_act")).toEqual([]);
  });

  it("holds and releases what is marked", async () => {
    const { program, user } = await openQueue();
    await user.click(box(9000));
    expect((byTestId("queue.release") as HTMLButtonElement).disabled).toBe(true);
    await user.click(byTestId("queue.hold"));
    await waitFor(() => expect(row(9000).textContent).toContain("on hold"));
    expect(program.called("queue_act")).toEqual([{ act: "hold", which: { ids: [9000] } }]);
    expect(byTestId("toasts").textContent).toContain("1 recipient is on hold.");
    expect(marked()).toEqual(["9000"]);
    await user.click(byTestId("queue.release"));
    await waitFor(() => expect(row(9000).textContent).not.toContain("on hold"));
  });

  it("asks before mail is gone, with the exact number, and means all that match", async () => {
    const { program, user } = await openQueue((fake) => (fake.queue.rows = manyWaiting(1200)));
    expect(text()).toContain("200 of 1,200 recipients shown");
    await user.click(byTestId("mark-all"));
    expect(byTestId("queue-counts").textContent).toContain("200 selected");
    await user.click(byTestId("mark-matching"));
    await user.click(byTestId("queue.return"));
    expect(byTestId("queue-question").textContent).toContain("Return mail to 1,200 recipients?");
    expect(program.called("queue_act")).toEqual([]);
    await user.click(byTestId("queue-yes"));
    await waitFor(() => expect(shown("queue-empty")).toBe(true));
    expect(program.called("queue_act")).toEqual([
      { act: "return", which: { matching: { text: "", state: "all", destination: null, up_to: 1200 } } },
    ]);
    expect(byTestId("toasts").textContent).toContain("Mail to 1,200 recipients goes back");
  });

  it("leaves mail alone that came after all that match were selected", async () => {
    const { program, user } = await openQueue((fake) => (fake.queue.rows = manyWaiting(300)));
    await user.click(byTestId("mark-all"));
    await user.click(byTestId("mark-matching"));
    const [newest] = program.queue.rows;
    const late = { ...newest, id: 301, recipient: "late@office.example" } as QueueRow;
    program.queue.rows = [late, ...program.queue.rows.filter((each) => each.id !== 7)];
    await queue.follow();
    await waitFor(() => expect(box(301).checked).toBe(false));
    expect(box(300).checked).toBe(true);
    await waitFor(() => expect(byTestId("queue-counts").textContent).toContain("299 selected"));
    await user.click(byTestId("queue.remove"));
    expect(byTestId("queue-question").textContent).toContain("Delete mail to 299 recipients?");
    expect(byTestId("queue-question").textContent).toContain("Mail that arrives later is left alone");
    await user.click(byTestId("queue-yes"));
    await waitFor(() => expect(program.queue.rows.map((each) => each.id)).toEqual([301]));
  });

  it("tries what it releases at once", async () => {
    const { program, user } = await openQueue((fake) => (fake.queue.rows = waiting().slice(0, 6)));
    await user.click(box(8996));
    await user.click(byTestId("queue.release"));
    await waitFor(() =>
      expect(byTestId("toasts").textContent).toContain("1 recipient is released and tried now."),
    );
    const released = program.queue.rows.find((each) => each.id === 8996);
    expect(released?.state).toBe("waiting");
    expect(released?.next_at_ms).toBeLessThanOrEqual(Date.now());
  });

  it("deletes one from its detail, and says that it has left", async () => {
    const { program, user } = await openQueue((fake) => (fake.queue.rows = waiting().slice(0, 6)));
    await user.click(row(8995));
    await waitFor(() => expect(shown("queue-entry")).toBe(true));
    await user.click(byTestId("entry.remove"));
    expect(byTestId("queue-question").textContent).toContain("nobody is told");
    expect(await violations()).toEqual([]);
    await user.click(byTestId("queue-yes"));
    await waitFor(() => expect(shown("queue-left")).toBe(true));
    expect(program.called("queue_act")).toEqual([{ act: "remove", which: { ids: [8995] } }]);
    expect(document.querySelector('tr[data-key="8995"]')).toBeNull();
  });

  it("follows the queue without losing marks, the open entry or the focus", async () => {
    const { program, user } = await openQueue();
    await user.click(box(8999));
    await user.click(row(8998));
    await waitFor(() => expect(shown("queue-entry")).toBe(true));
    row(8998).focus();
    const before = row(8998);
    program.queue.rows = program.queue.rows
      .filter((each) => each.id !== 9000)
      .map((each) => (each.id === 8998 ? { ...each, attempts: 4, reason: "still no room" } : each));
    await queue.follow();
    await waitFor(() => expect(byTestId("queue-reason").textContent).toBe("still no room"));
    expect(document.querySelectorAll('[data-testid="attempt"]')).toHaveLength(4);
    expect(marked()).toEqual(["8999"]);
    expect(document.activeElement).toBe(before);
  });

  it("gives the focus of a row that goes away to the one in its place", async () => {
    const { program } = await openQueue();
    row(8998).focus();
    program.queue.rows = program.queue.rows.filter((each) => each.id !== 8998);
    await queue.follow();
    await waitFor(() => expect(document.activeElement).toBe(row(8997)));
  });

  it("shows paused destinations, filters by one and tries it now", async () => {
    const { program, user } = await openQueue();
    await waitFor(() => expect(shown("paused")).toBe(true));
    expect(byTestId("paused").textContent).toContain("müller-brombach.example");
    const chip = byTestId("destination:domain:far-away.example");
    await user.click(chip);
    await waitFor(() => expect(document.querySelectorAll("tr.entry")).toHaveLength(25));
    expect(chip.getAttribute("aria-pressed")).toBe("true");
    await user.click(byTestId("retry:domain:far-away.example"));
    expect(program.called("queue_act")).toEqual([
      {
        act: "retry",
        which: { matching: { text: "", state: "all", destination: "domain:far-away.example" } },
      },
    ]);
    await waitFor(() => expect(shown("destination:domain:far-away.example")).toBe(false));
    await user.click(byTestId("queue.all-destinations"));
    await waitFor(() => expect(document.querySelectorAll("tr.entry")).toHaveLength(30));
  });

  it("reads further rows when asked, and holds many with few in the page", async () => {
    const { user } = await openQueue((program) => (program.queue.rows = manyWaiting(1400)));
    for (let rows = 400; rows <= 1000; rows += 200) {
      await user.click(byTestId("queue.more"));
      await waitFor(() => expect(queue.rows).toHaveLength(rows));
    }
    await waitFor(() => expect(document.querySelectorAll("tr.entry").length).toBeLessThan(100));
    await queue.follow();
    expect(queue.rows).toHaveLength(1000);
  });

  it("says why the queue cannot be read", async () => {
    await openQueue((program) =>
      program.failures.set("queue_list", { kind: "io", message: "the database is busy", problems: [] }),
    );
    expect(text()).toContain("the database is busy");
    expect(shown("queue-empty")).toBe(false);
  });
});
