/** What the program reports in words: by its code where the catalogue has it, else as the program said it. */
import type { Notice, Problem } from "../lib/types";
import { i18n, type Language } from "./i18n.svelte";
import { troubleText } from "./trouble";

type Args = Record<string, string>;
type Words = Record<string, (args: Args) => string>;

const problems: Record<Language, Words> = {
  en: {
    // The program names paths for the command line's sake; the window has the assistant for it.
    not_set_up: () => "The domain and the hostname are not set yet.",
  },
  de: {
    not_set_up: () => "Domain und Hostname sind noch nicht eingetragen.",
    out_of_range: (a) => `${a.value} geht hier nicht; erlaubt ist ${a.min} bis ${a.max}.`,
    not_fqdn: (a) =>
      `„${a.value}“ hat keinen Punkt; schreiben Sie den vollen Namen, etwa ${a.value}.example.com.`,
    local_name: (a) =>
      `„${a.value}“ meint nur diesen Rechner; andere Server brauchen einen Namen, den das DNS kennt.`,
    needed: () => "Dieser Name wird gebraucht; ohne ihn kann keine Mail angenommen werden.",
    duplicate: (a) => `„${a.value}“ ist schon vorhanden.`,
    taken: (a) => `„${a.value}“ ist schon vergeben.`,
    empty: () => "Ein Name wird gebraucht.",
    upper_case: (a) => `Bitte klein schreiben: ${(a.value ?? "").toLowerCase()}.`,
    bad_character: () => "Erlaubt sind Buchstaben, Ziffern, Punkt, Bindestrich und Unterstrich.",
    bad_dot: () =>
      "Ein Name beginnt nicht mit Punkt oder Bindestrich, endet nicht mit Punkt und hat nicht zwei Punkte nacheinander.",
    too_many: (a) => `Höchstens ${a.max} Einträge sind erlaubt.`,
    too_long: (a) => (a.max === undefined ? "Das ist zu lang." : `Zu lang: erlaubt sind ${a.max} Zeichen.`),
    not_printable: (a) => `Nur druckbare ASCII-Zeichen sind erlaubt; ${a.value} ist keines.`,
    not_absolute: (a) => `„${a.value}“ ist kein voller Pfad; er muss mit / beginnen.`,
    mailbox_exists: (a) =>
      `In ${a.folder} liegt noch Mail eines früheren Benutzers; verschieben Sie den Ordner oder wählen Sie einen anderen Namen.`,
    no_such_user: (a) => `Es gibt keinen Benutzer „${a.value}“.`,
    no_such_entry: (a) => `„${a.value}“ gibt es nicht.`,
    bad_display_name: () => "Der volle Name ist zu lang oder enthält einen Zeilenumbruch.",
    not_a_server: () => "Das ist keine Adresse eines DNS-Servers; schreiben Sie etwa 192.0.2.53:53.",
    password_too_short: (a) => `Das Kennwort braucht mindestens ${a.min} Zeichen.`,
    password_too_long: (a) => `Das Kennwort darf höchstens ${a.max} Zeichen haben.`,
    port_taken: (a) =>
      `Port ${a.port} ist von einem anderen Programm belegt; beenden Sie es oder wählen Sie hier einen anderen Port.`,
    port_not_allowed: (a) =>
      `Dieser Benutzer darf Port ${a.port} nicht öffnen; wählen Sie einen Port ab 1024.`,
    address_not_here: (a) => `Dieser Rechner hat die Adresse ${a.address} nicht.`,
    no_address: () => "Es ist keine Adresse eingetragen; tragen Sie eine ein, etwa [::]:25.",
    cannot_write: (a) => `In ${a.folder} kann keine Mail abgelegt werden.`,
    unreadable_file: (a) => `${a.file} kann nicht gelesen werden.`,
    relay_needed: () => "Tragen Sie Hostnamen oder Adresse des Relays ein, oder schalten Sie das Relay aus.",
    not_a_host: (a) => `„${a.value}“ ist weder ein Hostname noch die IP-Adresse eines Rechners.`,
    port_in_host: (a) => `„${a.value}“ enthält einen Port; der hat sein eigenes Feld.`,
    own_server: (a) => `„${a.value}“ ist dieser Server selbst; Mail ginge im Kreis.`,
    needs_tls: () =>
      "TLS ab dem ersten Byte ist immer verschlüsselt; schalten Sie die sichere Verbindung ein oder wählen Sie STARTTLS.",
    not_a_fingerprint: () =>
      "Der SHA-256-Fingerabdruck eines Zertifikats hat 64 Hexadezimalziffern, mit oder ohne Doppelpunkte.",
    username_needed: () =>
      "Tragen Sie den Benutzernamen beim Relay ein, oder schalten Sie die Anmeldung aus.",
    control_character: () => "Zeilenumbrüche und andere Steuerzeichen sind nicht erlaubt.",
    value_needed: () => "Ein Wert wird gebraucht.",
    has_mask: (a) => `„${a.value}“ hat eine Maske; wählen Sie dafür IP/Netzmaske.`,
    not_an_ip: (a) => `„${a.value}“ ist keine IP-Adresse; schreiben Sie etwa 192.0.2.1 oder 2001:db8::1.`,
    no_mask: (a) => `„${a.value}“ fehlt die Maske; schreiben Sie etwa 192.0.2.0/24.`,
    not_a_mask: (a) => `„${a.value}“ hat keine brauchbare Maske; schreiben Sie etwa /24 oder /255.255.255.0.`,
    null_sender: () => "<> ist der Absender von Benachrichtigungen; keine Regel kann ihn nennen.",
    no_at: (a) =>
      `„${a.value}“ fehlt das @; schreiben Sie name@${a.value} für eine Adresse oder @${a.value} für alle der Domain.`,
    not_an_address: (a) => `„${a.value}“ ist keine Mailadresse.`,
    not_a_domain: (a) => `„${a.value}“ ist keine Domain.`,
    has_at: (a) => `„${a.value}“ enthält ein @; eine Domain steht ohne da, oder wählen Sie Absender.`,
    white_only: () =>
      "Domain gibt es nur für weiße Regeln; wählen Sie Absender und schreiben Sie @ und die Domain.",
    no_clamd: () => "Dazu muss hier die Adresse von clamd stehen.",
    bad_rule_name: () => "Ein Name hat keinen Zeilenumbruch und keine Leerzeichen am Anfang oder Ende.",
    bad_comment: () => "Eine Bemerkung hat höchstens 500 Zeichen und keinen Zeilenumbruch.",
    too_many_masks: (a) => `Höchstens ${a.max} verschiedene Masken mit Lücken sind erlaubt.`,
    host_bits: () => "Stellen außerhalb der Maske zählen nicht.",
    mask_with_holes: () => "Die Maske hat Lücken: Sie trifft Adressen, die nicht beieinander liegen.",
    everybody: () => "Das trifft jeden.",
    schedule_needed: () => "Mindestens eine Zahl von Minuten wird gebraucht.",
  },
};

const notices: Record<string, { message: string; action?: string }> = {
  no_users: {
    message: "Es gibt noch keinen Benutzer, also kann niemand Mail bekommen.",
    action: "Legen Sie den ersten an.",
  },
  below_standard: {
    message: "Der Mailstandard verlangt, dass jeder Server 100 Empfänger annimmt.",
  },
  above_message_size: {
    message: "Kein Anhang kann seine Grenze erreichen, weil die für die Nachricht niedriger ist.",
  },
  password_in_clear: {
    message: "Bietet das Relay keine Verschlüsselung, kann das Kennwort unterwegs mitgelesen werden.",
  },
  any_certificate: {
    message:
      "Ohne Prüfung des Zertifikats kann sich jemand unterwegs als das Relay ausgeben und Mail und Kennwort lesen.",
  },
  warned_too_late: {
    message: "Der Absender erfährt nichts von der Verzögerung, weil die Mail vorher zurückgeht.",
  },
  nobody_signs_in: { message: "Ohne Anmeldung können Benutzer außerhalb Ihres Netzes nicht senden." },
  stopped: {
    message: "Der Server ist angehalten und nimmt keine Mail an.",
    action: "Starten Sie ihn, sonst wartet Mail von außen oder geht zurück.",
  },
  certificate_ends: {
    message: "Das Zertifikat läuft bald ab.",
    action: "Legen Sie ein neues an die Stelle des alten; es wird von selbst gelesen.",
  },
};

/** The program's words with a capital only: they may end in a command to type, which a full stop would spoil. */
export function capital(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}

/** The program's words with a capital and a full stop, as the window writes. */
function sentence(message: string): string {
  const text = capital(message);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export function problemText(problem: Problem): string {
  const words = problems[i18n.language][problem.code];
  if (words) return words(problem.args);
  const trouble = troubleText(problem);
  return trouble === null ? sentence(problem.message) : `${trouble.message} ${trouble.action}`;
}

type NoticeText = { message: string; action: string | null; detail: string | null; pane: string | null };

/** A notice of the server's problem has its code, and the values for its words are in `problem`. */
export function noticeText(notice: Notice, problem: Problem | null): NoticeText {
  const { code, message, action, pane } = notice;
  const args = problem?.code === code ? problem.args : {};
  const trouble = troubleText({ path: "", code, message, args });
  if (trouble !== null) return { ...trouble, pane: null };
  const known = i18n.language === "de" ? notices[code] : undefined;
  const words = known ?? { message: sentence(message) };
  return { message: words.message, action: words.action ?? action, detail: null, pane };
}
