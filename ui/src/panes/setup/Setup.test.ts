import { waitFor } from "@testing-library/svelte";
import { describe, expect, it } from "vitest";
import type { FakeProgram } from "../../../dev/fake";
import { scene } from "../../../dev/scenes";
import { byTestId, field, openWindow, shown, violations, type OpenWindow } from "../../../dev/window";

async function begin(shape: (program: FakeProgram) => void = () => undefined): Promise<OpenWindow> {
  const program = scene(new URLSearchParams("scene=first-run"));
  shape(program);
  const opened = await openWindow(program);
  await waitFor(() => expect(shown("setup")).toBe(true));
  await waitFor(() => expect(field("setup.domain").value).toBe("office.example"));
  return opened;
}

describe("the first-run assistant", () => {
  it("leads from a name to a message in the mailbox", async () => {
    const { program, user } = await begin();
    await waitFor(() => expect(byTestId("dns-address").dataset.state).toBe("warning"));
    expect(await violations()).toEqual([]);
    await user.click(byTestId("setup-next"));
    await waitFor(() => expect(shown("setup.user.name")).toBe(true));
    expect(program.settings.general.domain).toBe("office.example");

    await user.type(field("setup.user.name"), "alice");
    await user.type(field("setup.user.password"), "correct horse");
    expect(await violations()).toEqual([]);
    await user.click(byTestId("setup-next"));
    await waitFor(() => expect(shown("port-smtp")).toBe(true));
    expect(program.settings.users.map((entry) => entry.name)).toEqual(["alice"]);

    await user.click(byTestId("port-smtp-use"));
    await waitFor(() => expect(program.settings.service.smtp).toEqual(["[::]:2525"]));
    await user.click(byTestId("ports-start"));
    await waitFor(() => expect(program.status.state).toBe("running"));
    expect(await violations()).toEqual([]);
    await user.click(byTestId("setup-next"));

    expect(byTestId("setup-leaves").textContent).toContain("straight to their servers, on port 25");
    await user.click(byTestId("test-send"));
    await waitFor(() => expect(byTestId("test-result").dataset.ok).toBe("true"));
    expect(await violations()).toEqual([]);
    await user.click(byTestId("setup-next"));
    expect(shown("setup")).toBe(false);
    expect(shown("pane-overview")).toBe(true);
  });

  it("tells how mail leaves, and where that is set", async () => {
    const { user } = await begin((program) => {
      Object.assign(program.settings.delivery, {
        relay_enabled: true,
        relay_server: "smtp.provider.example",
      });
    });
    await user.click(byTestId("setup-step-3"));
    expect(byTestId("setup-leaves").textContent).toContain(
      "through the relay smtp.provider.example, on port 587",
    );
    await user.click(byTestId("setup-delivery"));
    await waitFor(() => expect(shown("pane-delivery")).toBe(true));
  });

  it("refuses a name without a dot at its field", async () => {
    const { program, user } = await begin();
    await user.clear(field("setup.domain"));
    await user.type(field("setup.domain"), "office");
    await user.click(byTestId("setup-next"));
    await waitFor(() =>
      expect(document.getElementById("setup.domain.problem")?.textContent).toContain("no dot"),
    );
    expect(program.settings.general.domain).toBe("");
  });

  it("can be skipped step by step, and taken up again", async () => {
    const { program, user } = await begin();
    await user.click(byTestId("setup-skip"));
    await user.click(byTestId("setup-skip"));
    await user.click(byTestId("setup-leave"));
    expect(shown("setup")).toBe(false);
    expect(program.called("settings_apply")).toEqual([]);
    await user.click(await waitFor(() => byTestId("resume-setup")));
    expect(byTestId("setup").dataset.step).toBe("2");
  });
});
