/** The window in a plain browser, over made-up data: for looking at it, never part of a build. */
import { mockIPC, mockWindows } from "@tauri-apps/api/mocks";
import { FakeProgram } from "./fake";
import { scene } from "./scenes";

const program: FakeProgram = scene(new URLSearchParams(location.search));
mockWindows("main");
mockIPC((command, args) => program.answer(command, (args ?? {}) as Record<string, unknown>), {
  shouldMockEvents: true,
});
void import("../src/main");
