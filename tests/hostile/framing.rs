//! Where a message or a chunk ends: nothing that only looks like an end to somebody is one.

use anyhow::{Result, ensure};
use postroom_tests::Dialogue;

use super::{STRANGER, addressed, codes, server, still_serves};

/// Ways in which other programs end a line, or think that a line has ended.
const LINE_ENDS: [&str; 14] = [
    "\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\n\0", "\n\0", "\0\r\n", "\r\0\n", "\r\n ", "\u{85}",
    "\u{2028}", "\u{b}", "\u{c}",
];

/// Everything that looks like the end of a message to somebody and is none.
fn false_ends() -> Vec<String> {
    let pairs = LINE_ENDS.iter().flat_map(|before| {
        LINE_ENDS
            .iter()
            .map(move |after| format!("{before}.{after}"))
    });
    let others = [
        "\r\n. \r\n",
        "\r\n .\r\n",
        "\r\n..\r\n",
        "=0D=0A.=0D=0A",
        "\r\n.\t\r\n",
    ];
    pairs
        .chain(others.map(str::to_owned))
        .filter(|form| !form.contains("\r\n.\r\n"))
        .collect()
}

#[test]
fn nothing_but_a_dot_alone_between_two_crlf_ends_a_message() -> Result<()> {
    let daemon = server()?;
    let mut taken = 0;
    for form in false_ends() {
        let mut client = addressed(&daemon)?;
        client.command("DATA", 354)?;
        client.send(
            format!(
                "Subject: outer\r\n\r\nouter text{form}MAIL FROM:<smuggler@elsewhere.example>\r\n\
                 RCPT TO:<bob@office.example>\r\nDATA\r\nSubject: inner\r\n\r\ninner text\r\n.\r\nQUIT\r\n"
            )
            .as_bytes(),
        )?;
        let codes = codes(&mut client);
        // One reply for one message, and the bye.
        ensure!(
            codes == [250, 221] || codes == [550, 221],
            "{form:?}: {codes:?}"
        );
        taken += usize::from(codes[0] == 250);
    }
    let outer = daemon.delivered("alice")?.containing("outer text")?;
    ensure!(outer.len() == taken && outer.iter().all(|message| message.contains("inner text")));
    ensure!(
        daemon.delivered("bob")?.messages()?.is_empty(),
        "a message was smuggled in"
    );
    Ok(())
}

#[test]
fn a_bare_line_end_is_refused_wherever_it_stands() -> Result<()> {
    let daemon = server()?;
    for content in [
        "a\nb\r\n",
        "a\rb\r\n",
        "a\r\r\n",
        "\n",
        "\r",
        "a\r\n.\n\r\n",
        "a\r\n.\r\r\n",
        "Subject: x\n\nb\r\n",
    ] {
        let mut client = addressed(&daemon)?;
        client.command("DATA", 354)?;
        client.send(format!("{content}\r\n.\r\n").as_bytes())?;
        let reply = client.expect(550)?;
        ensure!(reply.text().contains("bare CR or LF"), "{reply}");
        client.command("RCPT TO:<alice@office.example>", 503)?;
    }
    for command in [
        "NOOP\n",
        "NOOP\rNOOP\r\n",
        "RSET\nMAIL FROM:<a@elsewhere.example>\r\n",
    ] {
        let mut client = addressed(&daemon)?;
        client.send(command.as_bytes())?;
        client.expect(500)?;
        // What it may have been smuggled into is over too.
        client.send(b"QUIT\r\n")?;
        ensure!(!codes(&mut client).contains(&354), "{command:?}");
    }
    ensure!(daemon.delivered("alice")?.messages()?.is_empty());
    Ok(())
}

#[test]
fn the_true_end_is_found_wherever_the_network_cuts_it() -> Result<()> {
    let daemon = server()?;
    let content = "Subject: cut\r\n\r\n..stuffed\r\nlast line\r\n.\r\n";
    let mut client = Dialogue::open(daemon.smtp()?)?;
    let cuts = content.len() - 10..content.len();
    for cut in cuts.clone() {
        client.command(&format!("MAIL FROM:<{STRANGER}>"), 250)?;
        client.command("RCPT TO:<alice@office.example>", 250)?;
        client.command("DATA", 354)?;
        let (head, tail) = content.split_at(cut);
        client.send(head.as_bytes())?;
        // The server reads the first part alone: another session answers only after that.
        Dialogue::open(daemon.smtp()?)?.command("NOOP", 250)?;
        client.send(tail.as_bytes())?;
        client.expect(250)?;
    }
    let messages = daemon
        .delivered("alice")?
        .containing("Subject: cut\n\n.stuffed\nlast line\n")?;
    ensure!(messages.len() == cuts.len());
    ensure!(
        messages
            .iter()
            .all(|message| message.ends_with("last line\n"))
    );
    Ok(())
}

#[test]
fn chunks_that_cannot_be_are_refused_and_never_read_as_commands() -> Result<()> {
    let daemon = server()?;
    // A size that is none: the octets that follow cannot be told from commands, so the connection ends.
    for size in [
        "-1",
        "+6",
        "6x",
        "",
        "6 LAST LAST",
        "6 FIRST",
        "999999999999999999999999",
        "0x6",
    ] {
        let mut client = addressed(&daemon)?;
        client.send(format!("BDAT {size}\r\nRSET\r\nQUIT\r\n").as_bytes())?;
        let codes = codes(&mut client);
        ensure!(
            codes == [501] || codes == [501, 250, 221] && size.is_empty(),
            "{size:?}: {codes:?}"
        );
    }
    // A chunk that is not wanted is swallowed whole.
    for before in ["RSET\r\n", "RSET\r\nMAIL FROM:<a@elsewhere.example>\r\n"] {
        let mut client = addressed(&daemon)?;
        client.send(format!("{before}BDAT 6\r\nQUIT\r\nNOOP\r\n").as_bytes())?;
        let replies = before.lines().count();
        for _ in 0..replies {
            client.expect(250)?;
        }
        client.expect(503)?;
        client.expect(250)?;
    }
    let mut client = addressed(&daemon)?;
    client.send(b"BDAT 21 LAST\r\nSubject: one\r\n\r\none\r\nBDAT 6 LAST\r\nRSET\r\nNOOP\r\n")?;
    ensure!(codes_of(&mut client, 3)? == [250, 503, 250]);
    // Sizes without end hold nobody up and cost nothing.
    for size in [
        "99999999999999999999",
        "18446744073709551615",
        "9223372036854775808 LAST",
    ] {
        let mut client = addressed(&daemon)?;
        client.send(format!("BDAT {size}\r\nSubject: endless\r\n").as_bytes())?;
        let mut rejected = Dialogue::open(daemon.smtp()?)?;
        rejected.send(format!("BDAT {size}\r\nRSET\r\n").as_bytes())?;
        ensure!(codes(&mut rejected) == [503], "{size}");
    }
    ensure!(daemon.delivered("alice")?.messages()?.len() == 1);
    still_serves(&daemon)
}

fn codes_of(client: &mut Dialogue, count: usize) -> Result<Vec<u16>> {
    (0..count).map(|_| Ok(client.reply()?.code)).collect()
}

#[test]
fn a_chunk_is_counted_and_what_is_in_it_ends_nothing() -> Result<()> {
    let daemon = server()?;
    let content = "Subject: counted\r\n\r\none\r\n.\r\nMAIL FROM:<smuggler@elsewhere.example>\r\n..\r\nBDAT 3\r\n";
    let (first, second) = content.split_at(29);
    let mut client = addressed(&daemon)?;
    client.send(format!("BDAT {}\r\n{first}", first.len()).as_bytes())?;
    client.expect(250)?;
    client.command("RCPT TO:<bob@office.example>", 503)?;
    client.command("DATA", 503)?;
    client.send(format!("BDAT {}\r\n{second}BDAT 0 LAST\r\n", second.len()).as_bytes())?;
    ensure!(codes_of(&mut client, 2)? == [250, 250]);
    let content = content.replace("\r\n", "\n");
    let messages = daemon.delivered("alice")?.containing(&content)?;
    ensure!(messages.len() == 1 && messages[0].ends_with(&content));
    ensure!(daemon.delivered("bob")?.messages()?.is_empty());
    Ok(())
}
