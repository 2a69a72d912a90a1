/**
 * What crosses between the window and the program. The shapes are generated from the Rust types; here are the shorter
 * names that the panes use for parts of them.
 */
import type { DnsCheck, Listener, LiveClient, PortCheck, Status, Step, Summary } from "./generated/types";

export type * from "./generated/types";

export type ServerState = Status["state"];
export type ServiceName = Listener["service"];
export type Outcome = Summary["outcome"];
/** Of a check in the mail log; a step of the relay test has results of its own. */
export type StepResult = Step["result"];
export type CheckState = DnsCheck["state"] | PortCheck["state"];
/** What is counted of a client and can reach a limit. */
export type LiveLimit = LiveClient["limited"][number];
/** A partial settings document: only what it names is meant. */
export type Document = { [key: string]: unknown };
