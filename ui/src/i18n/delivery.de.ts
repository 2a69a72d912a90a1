/** Der Bereich Zustellung. */
import type { deliveryEn } from "./delivery.en";

const number = new Intl.NumberFormat("de");
const counted = (n: number, one: string, many: string) => `${number.format(n)} ${n === 1 ? one : many}`;

export const deliveryDe: typeof deliveryEn = {
  lead: "Wie Mail diesen Server verlässt und wie lange es versucht wird",
  way: "Wie Mail hinausgeht",
  way_label: "Mail an andere Domains geht",
  direct: "Direkt zu jeder Domain",
  direct_help:
    "Braucht eine Adresse mit gutem Ruf und einen offenen Weg hinaus auf Port 25. Den meisten Privatanschlüssen fehlt beides.",
  relay: "Über ein Relay",
  relay_help: "Ein Server nimmt alles, etwa der Ihres Anbieters. Für die meisten Büros das Richtige.",
  relay_card: "Relay",
  warn_tls: "Bietet das Relay keine Verschlüsselung, kann die Mail unterwegs mitgelesen werden.",
  mode: {
    auto_starttls: (port) => `Automatisch: STARTTLS auf Port ${port}`,
    auto_implicit: (port) => `Automatisch: TLS ab dem ersten Byte auf Port ${port}`,
    auto: "Automatisch",
    starttls: "STARTTLS",
    implicit: "TLS ab dem ersten Byte",
  },
  verify: "Geprüft: gültig für diesen Namen",
  pin: "Angeheftet: nur dieses eine",
  any: "Jedes Zertifikat annehmen",
  pin_label: "SHA-256-Fingerabdruck des Zertifikats",
  pin_from_test: "Der Test unten zeigt den Fingerabdruck und kann ihn hier eintragen.",
  warn_any:
    "Jeder auf dem Weg kann sich als das Relay ausgeben und Mail und Kennwort lesen. Anheften ist genauso einfach.",
  login: "Anmeldung beim Relay",
  password: "Kennwort",
  password_help:
    "Liegt getrennt von den Einstellungen und wird nie gezeigt. Gespeichert wird beim Übernehmen.",
  password_place: {
    keychain: "Im Schlüsselbund dieses Rechners gespeichert.",
    file: "In der Datenbank von Postroom gespeichert; ihren Ordner kann nur der Benutzer des Servers öffnen.",
  },
  password_stored: "Gespeichert.",
  password_none: "Es ist kein Kennwort gespeichert.",
  password_new: "Beim Übernehmen wird ein neues Kennwort gespeichert.",
  password_gone: "Beim Übernehmen wird das gespeicherte Kennwort entfernt.",
  password_replace: "Ersetzen",
  password_remove: "Entfernen",
  password_keep: "Das gespeicherte behalten",
  password_change: "Kennwort",
  warn_password: "Ohne Kennwort lässt das Relay diesen Server nicht herein, und die Mail wartet.",
  warn_clear: "Wer unterwegs mithört, kann das Kennwort lesen.",
  retries: "Wenn eine Zustellung misslingt",
  hours: "Stunden",
  minutes: "Minuten",
  never: "nie",
  warn_on: "Absender über die Verzögerung benachrichtigen",
  warn_late: "Die Mail geht vorher zurück, also erfährt der Absender nichts von der Verzögerung.",
  whole_minutes: (text) => `„${text}“ ist keine ganze Zahl von Minuten.`,
  // In the dative, as it follows "nach" and "vor Ablauf von".
  span: (minutes) =>
    minutes % 1440 === 0
      ? counted(minutes / 1440, "Tag", "Tagen")
      : minutes % 60 === 0
        ? counted(minutes / 60, "Stunde", "Stunden")
        : counted(minutes, "Minute", "Minuten"),
  every: (minutes) =>
    minutes === 1440
      ? "einmal am Tag"
      : minutes === 60
        ? "jede Stunde"
        : minutes === 1
          ? "jede Minute"
          : minutes % 60 === 0
            ? `alle ${number.format(minutes / 60)} Stunden`
            : `alle ${number.format(minutes)} Minuten`,
  minute_list: (list, more) => {
    const shown = list.map((n) => number.format(n)).join(", ");
    return more > 0 ? `${shown} und ${number.format(more)} weiteren Pausen` : `${shown} Minuten`;
  },
  preview: (first, then, until) =>
    first === null
      ? `Neuer Versuch ${then}; nach ${until} ist Schluss.`
      : `Neue Versuche nach ${first}, dann ${then}; nach ${until} ist Schluss.`,
  attempts: (n) => `Das sind etwa ${counted(n, "Versuch", "Versuche")}.`,
  preview_warned: (after) => `Der Absender hört nach ${after} von der Verzögerung.`,
  preview_unwarned: "Der Absender hört bis dahin nichts.",
  preview_label: "In Worten",
  mailboxes: "Postfächer",
  maildir: "Hier, in einem Ordner",
  lmtp: "In einem anderen Mailspeicher, über LMTP",
  lmtp_label: "Adresse des Mailspeichers",
  advanced: "Erweitert",
  advanced_help: "Nameserver",
  test: {
    title: "Relay prüfen",
    lead: "Läuft mit dem, was oben steht, übernommen oder nicht. Es wird keine Mail gesendet.",
    run: "Relay prüfen",
    running: "Wird geprüft …",
    from: "Absender",
    to: "Empfänger",
    optional: "freiwillig",
    ask_help: "Mit beiden wird das Relay auch gefragt, ob es solche Mail nähme.",
    first: "Tragen Sie zuerst den Relay-Server ein.",
    refused: "Berichtigen Sie zuerst, was oben abgelehnt wird.",
    steps_label: "Schritte der Prüfung",
    took: (ms) => `${number.format(ms)} ms`,
    transcript: "Dialog",
    copy: "Dialog kopieren",
    stale: "Oben wurde nach dieser Prüfung etwas geändert.",
    passed: (ms) => `Das Relay lässt sich benutzen: alles bestanden in ${ms}.`,
    failed: (step, why) => (why === "" ? `Misslungen: ${step}.` : `Misslungen: ${step}: ${why}`),
    unfinished: "Die Prüfung endete vorzeitig.",
    at: (step) => `Jetzt: ${step}`,
    cert: {
      names: "Ausgestellt für",
      issuer: "Ausgestellt von",
      valid: "Gültig",
      verdict: "Prüfung",
      verified: "gut für diesen Namen, von bekannter Stelle",
      unverified: "nicht geprüft",
      fingerprint: "SHA-256",
    },
    pin: "Dieses Zertifikat anheften",
    pinned: "Dieses Zertifikat ist angeheftet.",
    pin_done: "Angeheftet. Prüfen Sie noch einmal und übernehmen Sie dann.",
    steps: {
      dns: "Name im DNS",
      connect: "Verbindung",
      greeting: "Begrüßung",
      ehlo: "EHLO",
      tls: "Verschlüsselung (TLS)",
      auth: "Anmeldung",
      mail: "Absender und Empfänger",
      quit: "Abschied (QUIT)",
    },
    results: {
      waiting: "kommt noch",
      running: "läuft",
      passed: "bestanden",
      failed: "misslungen",
      skipped: "ausgelassen",
    },
  },
};
