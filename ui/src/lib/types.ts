/**
 * What crosses between the window and the program. The shapes are generated from the Rust types; here are the shorter
 * names that the panes use for parts of them.
 */
import type { DnsCheck, Listener, PortCheck, Status, Step, Summary } from "./generated/types";

export type * from "./generated/types";
export type {
  Attempt,
  Delivery,
  Entry,
  Mailbox,
  Overview,
  OverviewQueue,
  PausedDestination,
  QueueAct,
  QueueAttempt,
  QueueEntry,
  QueueFilter,
  QueuePage,
  QueueRow,
  QueueWhich,
  RelayCertificate,
  RelayPassword,
  RelayStep,
  RelayTest,
  RelayTlsMode,
  Service,
  Settings,
} from "./pending";

export type ServerState = Status["state"];
export type ServiceName = Listener["service"];
export type Outcome = Summary["outcome"];
export type StepResult = Step["result"];
export type CheckState = DnsCheck["state"] | PortCheck["state"];
/** A partial settings document: only what it names is meant. */
export type Document = { [key: string]: unknown };
