/** Bezeichnung und Hilfe jeder Einstellung, nach Pfad. */
import type { fieldsEn } from "./fields.en";

export const fieldsDe: typeof fieldsEn = {
  fields: {
    "general.smtp_auth": {
      label: "SMTP-Anmeldung verlangen",
      help: "Wer an andere Domains senden will, meldet sich an. Mail für Ihre Benutzer wird von jedem angenommen.",
    },
    "general.skip_auth_for_local_network": {
      label: "Nicht im lokalen Netz",
      help: "Geräte im lokalen Netz und dieser Rechner selbst dürfen ohne Anmeldung senden.",
    },
    "general.sender_must_match_login": {
      label: "Absender muss der angemeldete Benutzer sein",
      help: "Absender und From-Zeile müssen eine Adresse des angemeldeten Benutzers sein.",
    },
    "general.auth_requires_tls": {
      label: "Kennwörter nur verschlüsselt",
      help: "Die Anmeldung wird erst nach TLS angeboten. Auf Port 25 ist dieser Rechner selbst ausgenommen.",
    },
    "general.disable_auto_forwarding": {
      label: "Automatisches Weiterleiten abschalten",
      help: "Lehnt Nachrichten ab, die ein Mailprogramm selbsttätig weiterleitet. Von Hand weiterleiten geht weiter.",
    },
    "general.domain": {
      label: "Domain",
      help: "Der Teil nach dem @ in den Adressen Ihrer Benutzer, in jeder Schrift.",
    },
    "general.additional_domains": {
      label: "Weitere Domains",
      help: "Dieselben Benutzer sind auch unter diesen Domains erreichbar (Domain-Aliasse).",
    },
    "general.hostname": {
      label: "Hostname (FQDN)",
      help: "Der volle Name dieses Rechners im DNS, auf den der MX-Eintrag der Domain zeigt.",
    },
    "general.banner": {
      label: "Begrüßung",
      help: "Die erste Zeile, die ein Client sieht. Hostname und ESMTP werden ergänzt, wenn sie fehlen.",
    },
    "general.max_recipients": {
      label: "Empfänger je Nachricht",
      help: "An so viele Adressen darf eine Nachricht auf einmal gehen.",
    },
    "general.max_hops": {
      label: "Stationen einer Nachricht",
      help: "So viele Server darf sie durchlaufen haben (Received-Zeilen). Normale Mail hat 3–8.",
    },
    "general.max_message_size_mb": {
      label: "Größe einer Nachricht",
      help: "Die ganze Nachricht, so wie sie übertragen wird.",
    },
    "general.max_attachment_size_mb": {
      label: "Größe eines einzelnen Anhangs",
      help: "Die angehängte Datei, wie der Empfänger sie speichert. Die Ablehnung nennt die Datei.",
    },
    "service.smtp": {
      label: "Eingehende Mail (SMTP)",
      help: "Hier liefern andere Server ein. [::]:25 ist Port 25 auf jeder Adresse dieses Rechners.",
    },
    "service.submission": {
      label: "Mail senden, STARTTLS",
      help: "Hier melden sich Mailprogramme an; verschlüsselt wird auf Verlangen (Submission).",
    },
    "service.submissions": {
      label: "Mail senden, TLS",
      help: "Hier melden sich Mailprogramme an; verschlüsselt ab dem ersten Byte (Submissions).",
    },
    "service.certificate": {
      label: "Zertifikat",
      help: "Ein selbst signiertes geht sofort, aber Mailprogramme fragen nach. Eigene Dateien werden bei Änderung neu gelesen.",
    },
    "service.local_networks": {
      label: "Lokale Netze",
      help: "Welche Adressen als lokal gelten. Automatisch heißt: dieser Rechner und seine privaten Netze.",
    },
    "service.dns_servers": {
      label: "DNS-Server",
      help: "Werden anstelle der des Systems gefragt. Mit Port, etwa 192.168.1.1:53.",
    },
    "service.mailbox": {
      label: "Ort der Postfächer",
      help: "Hier endet die Mail für Ihre Benutzer.",
    },
    "service.mailbox.maildir": {
      label: "Mailordner",
      help: "Hier liegen die Postfächer, ein Maildir je Benutzer. Leer heißt: im Datenordner.",
    },
    "service.mailbox.lmtp": {
      label: "Mailspeicher (LMTP)",
      help: "Ein anderes Programm führt die Postfächer: Rechner und Port, etwa 127.0.0.1:24, oder unix: und der Pfad eines Sockets.",
    },
    "service.journal_days": {
      label: "Mailprotokoll aufbewahren",
      help: "Ältere Einträge werden täglich entfernt.",
    },
    "delivery.relay_enabled": {
      label: "Über ein Relay senden",
      help: "Mail an andere Domains geht an einen Server, etwa den Ihres Anbieters. Sonst geht sie direkt an die Server jeder Domain.",
    },
    "delivery.relay_server": {
      label: "Relay-Server",
      help: "Hostname oder IP-Adresse. Er wird genommen, wie er hier steht; sein MX wird nicht gefragt.",
    },
    "delivery.relay_port": {
      label: "Port",
      help: "587 mit STARTTLS, 465 mit TLS ab dem ersten Byte, oder 25.",
    },
    "delivery.relay_tls": {
      label: "Immer eine sichere Verbindung (TLS)",
      help: "Mail geht verschlüsselt hinaus oder wartet. Sonst wird verschlüsselt, wo das Relay es anbietet.",
    },
    "delivery.relay_tls_mode": {
      label: "Beginn der Verschlüsselung",
      help: "Automatisch heißt: auf Port 465 ab dem ersten Byte, auf allen anderen mit STARTTLS.",
    },
    "delivery.relay_certificate": {
      label: "Zertifikat des Relays",
      help: "Geprüft: für diesen Namen von bekannter Stelle ausgestellt. Angeheftet: genau das gewählte.",
    },
    "delivery.relay_auth": {
      label: "Das Relay verlangt eine Anmeldung",
      help: "Benutzername und Kennwort werden vor jeder Mail gesendet.",
    },
    "delivery.relay_username": {
      label: "Benutzername",
      help: "Ihr Benutzername beim Relay. Das Kennwort liegt getrennt und wird nie gezeigt.",
    },
    "delivery.relay_auth_in_clear": {
      label: "Kennwort auch ungeschützt senden",
      help: "Nur für ein Relay ohne Verschlüsselung oder mit einem Zertifikat, das nichts beweist.",
    },
    "delivery.direct_port": {
      label: "Port anderer Server",
      help: "Für Mail, die direkt an die Server ihrer Domain geht. Im ganzen Internet ist es 25.",
    },
    "delivery.retry_schedule_minutes": {
      label: "Minuten zwischen den Versuchen",
      help: "Nach dem ersten Fehlschlag, dem zweiten und so fort. Die letzte Zahl gilt immer weiter.",
    },
    "delivery.give_up_after_hours": {
      label: "Mail zurückgeben nach",
      help: "Was bis dahin nicht zugestellt werden konnte, geht an den Absender zurück.",
    },
    "delivery.warn_after_hours": {
      label: "Absender über Verzögerung benachrichtigen nach",
      help: "Einmal, während die Mail weiter wartet.",
    },
    "service.exempt_hosts": {
      label: "Nicht begrenzt",
      help: "Adressen und Netze, für die diese Grenzen nicht gelten, etwa ein zweiter Mailserver oder ein Büro hinter einer Adresse.",
    },
    "service.clamd": {
      label: "Adresse von clamd",
      help: "Host und Port, etwa 127.0.0.1:3310, oder unix: und der Pfad seines Sockets.",
    },
    "security.sender_policy.reject_non_fqdn": {
      label: "Absender ohne vollen Domainnamen abweisen",
      help: "Etwa chef@buero statt chef@buero.example. Adressen wie user@[192.0.2.1] und der leere Absender kommen durch.",
    },
    "security.sender_policy.reject_unknown_domain": {
      label: "Absender unbekannter Domains abweisen",
      help: "Eine Domain ohne MX-, A- oder AAAA-Eintrag könnte nie eine Antwort bekommen. Weiß es das DNS nicht, soll der Absender wiederkommen.",
    },
    "security.sender_policy.unknown_domain_scope": {
      label: "Unbekannte Domains zählen",
      help: "Für welche Empfänger es die Domain des Absenders geben muss.",
    },
    "security.connection_policy.reject_unknown_client_hostname": {
      label: "Clients ohne Namen abweisen",
      help: "Weist Mail von Adressen ab, zu denen das DNS keinen Namen hat (Reverse-DNS, PTR).",
    },
    "security.connection_policy.client_hostname": {
      label: "Wie der Name sein muss",
      help: "Irgendein Name ist eine milde Prüfung, einer, der zurückführt, eine strenge.",
    },
    "security.connection_policy.max_connections": {
      label: "Gleichzeitige Verbindungen",
      help: "Hält ein Client so viele offen, bekommt er für jede weitere 421.",
    },
    "security.connection_policy.max_connections_per_minute": {
      label: "Verbindungen in einer Minute",
      help: "Auch abgewiesene zählen. Darüber gibt es 421, bis die Minute um ist.",
    },
    "security.connection_policy.max_messages_per_minute": {
      label: "Nachrichten in einer Minute",
      help: "Gezählt bei MAIL FROM, ob angenommen oder nicht. Darüber gibt es 450, bis die Minute um ist.",
    },
    "security.advanced.reject_unauthorized_pipelining": {
      label: "Unerlaubtes Pipelining abweisen",
      help: "Weist Clients ab, die Befehle senden, bevor sie dran sind. Spamprogramme tun das; Mailserver warten.",
    },
    "security.advanced.reject_non_fqdn_helo": {
      label: "Unvollständige HELO-Namen abweisen",
      help: "Ein Server muss sich mit vollem Namen melden, etwa mail.example.com, oder mit einer Adresse in Klammern.",
    },
    "security.advanced.reject_unknown_helo": {
      label: "Im DNS unbekannte HELO-Namen abweisen",
      help: "Der Name braucht einen MX-, A- oder AAAA-Eintrag. Daran scheitern auch redliche Server.",
    },
    "security.advanced.max_nonexistent_accounts": {
      label: "Unbekannte Konten von einer Adresse",
      help: "Wer an so viele verschiedene Konten schreibt, die es nicht gibt, ist bis Mitternacht gesperrt.",
    },
    "security.advanced.max_junk_commands": {
      label: "Befehle ohne Wirkung in einer Sitzung",
      help: "NOOP, VRFY, ETRN und RSET vor einer Nachricht. Jeder zehnte wird eine Sekunde später beantwortet; darüber zählen sie als Fehler.",
    },
    "security.checks.dnsbl_zones": {
      label: "Listen",
      help: "Gefragt nach der Adresse jedes fremden Clients. Steht er in einer davon, wird er abgewiesen.",
    },
    "security.checks.spf": {
      label: "SPF",
      help: "Ob die Domain des Absenders diesen Client für sich senden lässt (RFC 7208).",
    },
    "security.checks.dkim": {
      label: "DKIM",
      help: "Ob die Signaturen der Nachricht stimmen (RFC 6376). Mail ohne Signatur kommt durch.",
    },
    "security.checks.dmarc": {
      label: "DMARC",
      help: "Was die Domain der From-Zeile will, wenn weder SPF noch DKIM für sie spricht (RFC 7489).",
    },
    "security.checks.antivirus": {
      label: "Wird ein Schädling gefunden",
      help: "Jede Nachricht prüft clamd, auch die der eigenen Benutzer.",
    },
    "security.checks.antivirus_unavailable": {
      label: "Ist clamd nicht zu erreichen",
      help: "Es läuft nicht, ist zu langsam oder bricht ab.",
    },
  },
};
