import { emit } from "@tauri-apps/api/event";
import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import { byTestId, field, openWindow, shown, violations, type OpenWindow } from "../../dev/window";

async function withChange(): Promise<OpenWindow> {
  const opened = await openWindow();
  await opened.user.click(byTestId("nav-general"));
  await opened.user.click(field("general.disable_auto_forwarding"));
  return opened;
}

function destroyed({ program }: OpenWindow): number {
  return program.called("plugin:window|destroy").length;
}

describe("closing the window", () => {
  it("just closes it when nothing is changed", async () => {
    const opened = await openWindow();
    await emit("tauri://close-requested");
    await waitFor(() => expect(destroyed(opened)).toBe(1));
  });

  it("asks when a draft would be lost", async () => {
    const opened = await withChange();
    await emit("tauri://close-requested");
    await waitFor(() => expect(shown("close-question")).toBe(true));
    expect(await violations()).toEqual([]);
    await opened.user.click(byTestId("close-keep"));
    expect(shown("close-question")).toBe(false);
    expect(destroyed(opened)).toBe(0);
  });

  it("applies and closes", async () => {
    const opened = await withChange();
    await emit("tauri://close-requested");
    await opened.user.click(await waitFor(() => byTestId("close-apply")));
    await waitFor(() => expect(destroyed(opened)).toBe(1));
    expect(opened.program.settings.general.disable_auto_forwarding).toBe(true);
  });

  it("stays open when what was to be applied is refused", async () => {
    const opened = await withChange();
    await opened.user.clear(field("general.hostname"));
    await emit("tauri://close-requested");
    await opened.user.click(await waitFor(() => byTestId("close-apply")));
    await waitFor(() => expect(document.activeElement?.id).toBe("general.hostname"));
    expect(destroyed(opened)).toBe(0);
  });
});
