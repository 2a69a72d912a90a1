import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { busyNumbers } from "../../../dev/data";
import { FakeProgram } from "../../../dev/fake";
import { paused, waiting } from "../../../dev/queueData";
import { sampleBlocks } from "../../../dev/securityData";
import { byTestId, openWindow, shown, text, violations, type OpenWindow } from "../../../dev/window";
import { storageFails } from "../../../dev/scenes";
import { overview } from "../../state/overview.svelte";
import { bars, niceTop } from "./chart";

async function openOverview(shape: (program: FakeProgram) => void = () => undefined): Promise<OpenWindow> {
  const program = new FakeProgram();
  program.numbers = busyNumbers();
  shape(program);
  const opened = await openWindow(program);
  await waitFor(() => expect(shown("figure-accepted")).toBe(true));
  return opened;
}

describe("the Overview", () => {
  it("shows the day in numbers, as a chart and as a table", async () => {
    await openOverview();
    expect(byTestId("figure-accepted").textContent).toContain("1,284");
    expect(byTestId("figure-refused").textContent).toContain("user or password 201");
    expect(byTestId("day-table").querySelectorAll("tbody tr")).toHaveLength(24);
    expect(await violations()).toEqual([]);
  });

  it("says how much waits, and leads to the queue", async () => {
    const { user } = await openOverview((program) => {
      program.queue.rows = waiting();
      program.queue.paused = paused();
    });
    expect(byTestId("figure-queue").textContent).toContain("29");
    expect(byTestId("figure-queue").textContent).toContain("2 destinations paused");
    await user.click(byTestId("open-queue"));
    expect(shown("pane-queue")).toBe(true);
  });

  it("lists who is blocked and why, and lifts the block", async () => {
    const { program, user } = await openOverview((fake) => {
      fake.security.blocks = sampleBlocks();
    });
    await waitFor(() => expect(shown("blocked-table")).toBe(true));
    expect(byTestId("blocked-table").textContent).toContain("14 failed sign-ins");
    expect(byTestId("blocked-table").textContent).toContain("20 unknown accounts tried");
    expect(await violations()).toEqual([]);
    await user.click(byTestId("lift-192.0.2.77"));
    await waitFor(() => expect(shown("lift-192.0.2.77")).toBe(false));
    await user.click(byTestId("lift-2001:db8:bad::/64"));
    await waitFor(() => expect(shown("lift-2001:db8:bad::/64")).toBe(false));
    expect(program.called("blocks_lift")).toEqual([
      { client: "192.0.2.77", reason: "failed_logins" },
      { client: "2001:db8:bad::/64", reason: "nonexistent_accounts" },
    ]);
  });

  it("leads from a blocked address to a white rule for it", async () => {
    const { user } = await openOverview((fake) => {
      fake.security.blocks = sampleBlocks();
    });
    await waitFor(() => expect(shown("blocked-table")).toBe(true));
    await user.click(byTestId("allow-203.0.113.77"));
    await waitFor(() => expect(document.activeElement?.id).toBe("rule.name"));
    expect(shown("pane-security")).toBe(true);
  });

  it("stops and starts the server", async () => {
    const { user } = await openOverview();
    await user.click(byTestId("stop-server"));
    await waitFor(() => expect(byTestId("server-state").textContent).toContain("Stopped"));
    await user.click(byTestId("start-server"));
    await waitFor(() => expect(byTestId("server-state").textContent).toContain("Running"));
  });

  it("sends a test message and shows how it went", async () => {
    const { program, user } = await openOverview();
    await user.click(byTestId("test-message"));
    await user.click(byTestId("test-send"));
    await waitFor(() => expect(byTestId("test-result").dataset.ok).toBe("true"));
    expect(program.called("test_message")).toEqual([{ to: "alice@office.example" }]);
    expect(await violations()).toEqual([]);
  });

  it("says why the server does not run, and leads to the setting", async () => {
    const { user } = await openOverview((program) => {
      program.status.state = "failed";
      program.status.problem = {
        path: "service.smtp",
        code: "x",
        message: "port 25 is taken by another program",
        args: {},
      };
    });
    expect(byTestId("server-state").textContent).toContain("Port 25 is taken by another program.");
    await user.click(byTestId("server-fix"));
    await waitFor(() => expect(document.activeElement?.id).toBe("service.smtp.0"));
  });

  it("says that mail is put off, why and what to do, and does so at the foot of every pane", async () => {
    await openOverview((program) => {
      storageFails(program);
    });
    await waitFor(() => expect(shown("notice-storage_failing")).toBe(true));
    const notice = byTestId("notice-storage_failing");
    expect(notice.textContent).toContain("New mail is put off: the disk is full.");
    expect(notice.textContent).toContain("Make room on the disk of /srv/postroom/spool.");
    expect(notice.textContent).toContain("database or disk is full");
    expect(notice.querySelector("button")).toBeNull();
    expect(byTestId("server-state").textContent).toContain("New mail is put off");
    expect(await violations()).toEqual([]);
  });

  it("names the destination that is paused, counts several, and leads to the queue", async () => {
    const { program, user } = await openOverview((fake) => {
      fake.queue.rows = waiting();
      fake.queue.paused = paused().slice(0, 1);
    });
    const notice = () => byTestId("notice-destination_paused");
    await waitFor(() => expect(notice().textContent).toContain("A destination is paused: far-away.example."));
    program.queue.paused = paused();
    await overview.refresh();
    await waitFor(() => expect(notice().textContent).toContain("2 destinations are paused."));
    await user.click(notice().querySelector("button") as HTMLElement);
    expect(shown("pane-queue")).toBe(true);
  });

  it("leads from a notice to its setting", async () => {
    const { user } = await openOverview();
    await user.click(byTestId("notice-no_mx").querySelector("button") as HTMLElement);
    await waitFor(() => expect(document.activeElement?.id).toBe("general.hostname"));
  });
});

describe("the chart", () => {
  it("has a scale whose half is whole", () => {
    expect([0, 2, 3, 9, 11, 80, 101].map(niceTop)).toEqual([2, 2, 4, 10, 20, 100, 200]);
  });

  it("never draws above its top", () => {
    const [bar] = bars([{ hour_ms: 0, accepted: 50, refused: 50 }], 100, {
      left: 0,
      right: 24,
      top: 10,
      bottom: 110,
    });
    expect(bar?.refusedY).toBeGreaterThanOrEqual(10);
  });
});

describe("the frame", () => {
  it("says when the window is painted, and only then", async () => {
    const { program } = await openOverview();
    await waitFor(() => expect(document.body.dataset.painted).toBe(""));
    await waitFor(() => expect(program.called("show_window_ready")).toHaveLength(1));
  });

  it("speaks German when asked to, and remembers", async () => {
    const { user } = await openOverview();
    await user.selectOptions(byTestId("language"), "de");
    expect(text()).toContain("Heute angenommen");
    expect(document.documentElement.lang).toBe("de");
    expect(localStorage.getItem("postroom.language")).toBe("de");
    await user.selectOptions(byTestId("language"), "system");
    expect(localStorage.getItem("postroom.language")).toBeNull();
  });

  it("offers another try when the settings cannot be read", async () => {
    const program = new FakeProgram();
    program.failures.set("settings_get", { kind: "io", message: "the database is damaged", problems: [] });
    const opening = openWindow(program);
    await waitFor(() => expect(shown("load-failed")).toBe(true));
    expect(text()).toContain("the database is damaged");
    program.failures.clear();
    byTestId("retry").click();
    await opening;
    await waitFor(() => expect(shown("pane-overview")).toBe(true));
  });
});
