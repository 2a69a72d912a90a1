/** Label and help of every setting, by path. */
import type { SettingPath } from "../lib/paths";

type Words = { label: string; help: string };

/** The kinds of mailbox have words of their own. */
type Kind = "service.mailbox.maildir" | "service.mailbox.lmtp";

const fields: Record<SettingPath | Kind, Words> = {
  "general.smtp_auth": {
    label: "Require SMTP authentication",
    help: "Clients sign in before they may send to other domains. Mail for your own users is taken from anyone.",
  },
  "general.skip_auth_for_local_network": {
    label: "Not for the local network",
    help: "Machines in the local network, and this one, may send without signing in.",
  },
  "general.sender_must_match_login": {
    label: "Sender must be the signed-in user",
    help: "The sender and the From line must be an address of the user who signed in.",
  },
  "general.auth_requires_tls": {
    label: "Passwords only over encrypted connections",
    help: "Signing in is offered after TLS only. On port 25, this machine itself is exempt.",
  },
  "general.disable_auto_forwarding": {
    label: "Disable auto-forwarding",
    help: "Refuses messages that a mail program passes on by itself. Forwarding by hand goes on working.",
  },
  "general.domain": {
    label: "Domain",
    help: "The part after @ in your users’ addresses, in any script.",
  },
  "general.additional_domains": {
    label: "Additional domains",
    help: "The same users are reached under these domains too (domain aliases).",
  },
  "general.hostname": {
    label: "Hostname (FQDN)",
    help: "The full name of this machine in DNS, to which the domain’s MX record points.",
  },
  "general.banner": {
    label: "Banner",
    help: "The first line a client is shown. Hostname and ESMTP are added where missing.",
  },
  "general.max_recipients": {
    label: "Recipients per message",
    help: "One message may be addressed to this many people at once.",
  },
  "general.max_hops": {
    label: "Message hops",
    help: "Servers a message may have passed through (Received lines). Normal mail has 3–8.",
  },
  "general.max_message_size_mb": {
    label: "Message size",
    help: "The whole message as it is transferred.",
  },
  "general.max_attachment_size_mb": {
    label: "Size of a single attachment",
    help: "The attached file as its receiver saves it. The refusal names the file.",
  },
  "service.smtp": {
    label: "Incoming mail (SMTP)",
    help: "Where other servers deliver. [::]:25 is port 25 on every address of this machine.",
  },
  "service.submission": {
    label: "Sending mail, STARTTLS",
    help: "Where mail programs sign in; encryption begins on request (submission).",
  },
  "service.submissions": {
    label: "Sending mail, TLS",
    help: "Where mail programs sign in; encrypted from the first byte (submissions).",
  },
  "service.certificate": {
    label: "Certificate",
    help: "A self-signed one works at once, but mail programs ask about it. Own files are read again when they change.",
  },
  "service.local_networks": {
    label: "Local networks",
    help: "Which addresses count as local. Automatic means this machine and the private networks it is attached to.",
  },
  "service.dns_servers": {
    label: "DNS servers",
    help: "Asked instead of the system’s. With port, such as 192.168.1.1:53.",
  },
  "service.mailbox": {
    label: "Place of the mailboxes",
    help: "Mail for your own users ends here.",
  },
  "service.mailbox.maildir": {
    label: "Mail folder",
    help: "Where mailboxes are kept, one Maildir for each user. Empty means in the data folder.",
  },
  "service.mailbox.lmtp": {
    label: "Mail store (LMTP)",
    help: "Another program keeps the mailboxes: host and port, such as 127.0.0.1:24, or unix: and the path of a socket.",
  },
  "service.journal_days": {
    label: "Keep the mail log for",
    help: "Older entries are removed each day.",
  },
  "delivery.relay_enabled": {
    label: "Send through a relay",
    help: "Mail for other domains goes to one server, such as your provider’s. Off, it goes straight to each domain’s servers.",
  },
  "delivery.relay_server": {
    label: "Relay server",
    help: "Host name or IP address. It is used as it stands; its MX is not asked for.",
  },
  "delivery.relay_port": {
    label: "Port",
    help: "587 with STARTTLS, 465 with TLS from the first byte, or 25.",
  },
  "delivery.relay_tls": {
    label: "Always use a secure connection (TLS)",
    help: "Mail goes out encrypted or waits. Off, the connection is encrypted where the relay offers it.",
  },
  "delivery.relay_tls_mode": {
    label: "How encryption begins",
    help: "Automatic means TLS from the first byte on port 465, and STARTTLS on all others.",
  },
  "delivery.relay_certificate": {
    label: "Certificate of the relay",
    help: "Verified: made for this name by somebody known. Pinned: exactly the one you chose.",
  },
  "delivery.relay_auth": {
    label: "The relay asks for a sign-in",
    help: "User name and password are sent before any mail.",
  },
  "delivery.relay_username": {
    label: "User name",
    help: "Your user name at the relay. The password is kept apart and never shown.",
  },
  "delivery.relay_auth_in_clear": {
    label: "Send the password unprotected too",
    help: "Only for a relay without encryption, or with a certificate that proves nothing.",
  },
  "delivery.direct_port": {
    label: "Port of other servers",
    help: "For mail that goes straight to the servers of its domain. It is 25 in the whole internet.",
  },
  "delivery.retry_schedule_minutes": {
    label: "Minutes between attempts",
    help: "After the first failure, the second, and so on. The last number is used again and again.",
  },
  "delivery.give_up_after_hours": {
    label: "Return mail after",
    help: "Mail that could not be delivered by then goes back to its sender.",
  },
  "delivery.warn_after_hours": {
    label: "Tell the sender of a delay after",
    help: "Once, while the mail goes on waiting.",
  },
  "service.exempt_hosts": {
    label: "Not limited",
    help: "Addresses and networks to which these limits do not apply, such as a second mail server or an office behind one address.",
  },
  "service.clamd": {
    label: "Address of clamd",
    help: "Host and port, such as 127.0.0.1:3310, or unix: and the path of its socket.",
  },
  "security.sender_policy.reject_non_fqdn": {
    label: "Reject senders without a full domain name",
    help: "Such as boss@office instead of boss@office.example. Addresses like user@[192.0.2.1] and the empty sender pass.",
  },
  "security.sender_policy.reject_unknown_domain": {
    label: "Reject senders of unknown domains",
    help: "A domain without MX, A or AAAA record in the DNS could never get an answer. If the DNS cannot say, the sender is asked to come back.",
  },
  "security.sender_policy.unknown_domain_scope": {
    label: "Unknown domains count",
    help: "For which recipients the sender’s domain must exist.",
  },
  "security.connection_policy.reject_unknown_client_hostname": {
    label: "Reject clients without a name",
    help: "Refuses mail from addresses that the DNS has no name for (reverse DNS, PTR).",
  },
  "security.connection_policy.client_hostname": {
    label: "What the name must be",
    help: "Any name is a mild test, a name that leads back a strict one.",
  },
  "security.connection_policy.max_connections": {
    label: "Connections at the same time",
    help: "A client that keeps so many open gets 421 for each further one.",
  },
  "security.connection_policy.max_connections_per_minute": {
    label: "Connections in a minute",
    help: "Refused attempts count too. Above it, 421 until the minute is over.",
  },
  "security.connection_policy.max_messages_per_minute": {
    label: "Messages in a minute",
    help: "Counted at MAIL FROM, whether taken or not. Above it, 450 until the minute is over.",
  },
  "security.advanced.reject_unauthorized_pipelining": {
    label: "Reject unauthorized pipelining",
    help: "Refuses clients that send commands before it is their turn. Spam programs do; mail servers wait.",
  },
  "security.advanced.reject_non_fqdn_helo": {
    label: "Reject HELO names that are not full",
    help: "A server must greet with a full name, such as mail.example.com, or an address in brackets.",
  },
  "security.advanced.reject_unknown_helo": {
    label: "Reject HELO names the DNS does not know",
    help: "The name needs an MX, A or AAAA record. Some honest servers fail this.",
  },
  "security.advanced.max_nonexistent_accounts": {
    label: "Unknown accounts from one address",
    help: "Whoever writes to so many different accounts that do not exist is blocked until midnight.",
  },
  "security.advanced.max_junk_commands": {
    label: "Commands without effect in a session",
    help: "NOOP, VRFY, ETRN and RSET before a message. Every tenth is answered a second late; above the limit they count as errors.",
  },
  "security.checks.dnsbl_zones": {
    label: "Lists",
    help: "Asked about the address of every client that is a stranger. Standing in one of them, it is refused.",
  },
  "security.checks.spf": {
    label: "SPF",
    help: "Whether the sender’s domain lets this client send for it (RFC 7208).",
  },
  "security.checks.dkim": {
    label: "DKIM",
    help: "Whether the message’s signatures are right (RFC 6376). Mail without a signature passes.",
  },
  "security.checks.dmarc": {
    label: "DMARC",
    help: "What the domain of the From line wants done when neither SPF nor DKIM speaks for it (RFC 7489).",
  },
  "security.checks.antivirus": {
    label: "When malware is found",
    help: "Every message is scanned by clamd, that of your own users too.",
  },
  "security.checks.antivirus_unavailable": {
    label: "When clamd cannot be asked",
    help: "It does not run, is too slow, or breaks off.",
  },
};

export const fieldsEn = { fields };
