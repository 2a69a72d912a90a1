//! A small WebDriver client over plain HTTP: one session, one call at a time.
//!
//! Only what the window tests need of <https://www.w3.org/TR/webdriver2/>; every call has a time-out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use serde_json::{Value, json};

/// How long one call may take. A driver whose program died never answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any picture of the window; an answer beyond it is cut off.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// The key under which WebDriver names an element (§12 of the standard).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An element of the page.
#[derive(Debug, Clone)]
pub struct Element(String);

/// An open session. It is not closed by dropping; [`Session::close`] ends the program under test.
#[derive(Debug)]
pub struct Session {
    port: u16,
    path: String,
}

impl Session {
    /// Has the driver at `port` start the program and waits until both are there.
    ///
    /// # Errors
    /// When the driver refuses or does not answer in time, which it does when the program died at its start.
    pub fn open(port: u16, capabilities: &Value) -> Result<Self> {
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = call(port, "POST", "/session", Some(&body))?;
        let id = answer["sessionId"]
            .as_str()
            .context("the driver gave no session")?;
        Ok(Self {
            port,
            path: format!("/session/{id}"),
        })
    }

    /// Ends the session and with it the program.
    ///
    /// # Errors
    /// When the driver does not answer.
    pub fn close(&self) -> Result<()> {
        call(self.port, "DELETE", &self.path, None).map(drop)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        call(
            self.port,
            "POST",
            &format!("{}{path}", self.path),
            Some(body),
        )
    }

    fn get(&self, path: &str) -> Result<Value> {
        call(self.port, "GET", &format!("{}{path}", self.path), None)
    }

    /// The first element that matches a CSS selector.
    ///
    /// # Errors
    /// When there is none at this moment.
    pub fn find(&self, css: &str) -> Result<Element> {
        let answer = self.post(
            "/element",
            &json!({ "using": "css selector", "value": css }),
        );
        let answer = answer.with_context(|| format!("looking for `{css}`"))?;
        Ok(Element(
            answer[ELEMENT]
                .as_str()
                .context("the driver named no element")?
                .to_owned(),
        ))
    }

    /// Clicks in the middle of the element.
    ///
    /// # Errors
    /// When it cannot be clicked, for instance because another one lies over it.
    pub fn click(&self, element: &Element) -> Result<()> {
        self.post(&format!("/element/{}/click", element.0), &json!({}))
            .map(drop)
    }

    /// Types into the element, key by key.
    ///
    /// # Errors
    /// When it takes no keys.
    pub fn type_keys(&self, element: &Element, keys: &str) -> Result<()> {
        self.post(
            &format!("/element/{}/value", element.0),
            &json!({ "text": keys }),
        )
        .map(drop)
    }

    /// The element's text as it is shown.
    ///
    /// # Errors
    /// When the element is gone.
    pub fn text(&self, element: &Element) -> Result<String> {
        let answer = self.get(&format!("/element/{}/text", element.0))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Runs a script in the page and returns what it returns.
    ///
    /// # Errors
    /// When the script throws.
    pub fn execute(&self, script: &str, arguments: Value) -> Result<Value> {
        self.post(
            "/execute/sync",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// Runs a script in the page that answers by calling its last argument.
    ///
    /// # Errors
    /// When the script throws or does not answer in time.
    pub fn execute_async(&self, script: &str, arguments: Value) -> Result<Value> {
        self.post(
            "/execute/async",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// A picture of the page as PNG.
    ///
    /// # Errors
    /// When the driver cannot take one.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        self.execute(FLICKER, json!([]))?;
        let answer = self.get("/screenshot");
        self.execute("window.stopFlicker()", json!([]))?;
        let answer = answer?;
        let text = answer.as_str().context("the driver gave no picture")?;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .context("the picture is not base64")
    }
}

/// Drawing without a graphics card, WebKit takes a picture at the next change of the page and waits for one without
/// end. This changes a pixel in the corner, too little for an eye to see.
const FLICKER: &str = r"
    const pixel = document.createElement('i');
    pixel.setAttribute('aria-hidden', 'true');
    pixel.style = 'position: fixed; right: 0; bottom: 0; width: 1px; height: 1px';
    document.body.append(pixel);
    let count = 0;
    const timer = setInterval(() => { pixel.style.background = `rgb(0 0 0 / ${1 + (count++ % 2)}%)`; }, 30);
    window.stopFlicker = () => { clearInterval(timer); pixel.remove(); };
";

/// One HTTP call. Gives the `value` of the answer, or the driver's own words for what went wrong.
fn call(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let answer =
        exchange(port, method, path, body).with_context(|| format!("WebDriver {method} {path}"))?;
    let (head, body) = split_answer(&answer)?;
    let mut answer: Value =
        serde_json::from_slice(body).context("the driver's answer is not JSON")?;
    let value = answer["value"].take();
    if head.split_whitespace().nth(1) == Some("200") {
        return Ok(value);
    }
    bail!(
        "{}: {}",
        value["error"].as_str().unwrap_or("error"),
        value["message"].as_str().unwrap_or(head)
    )
}

fn exchange(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Vec<u8>> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    connection.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

fn split_answer(answer: &[u8]) -> Result<(&str, &[u8])> {
    const BLANK_LINE: &[u8] = b"\r\n\r\n";
    let end = answer
        .windows(BLANK_LINE.len())
        .position(|window| window == BLANK_LINE);
    let (head, rest) =
        answer.split_at(end.ok_or_else(|| anyhow!("the driver closed without an answer"))?);
    Ok((
        std::str::from_utf8(head)?,
        rest.get(BLANK_LINE.len()..).unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_cut_at_its_first_blank_line() {
        let (head, body) = split_answer(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!(
            (head, body),
            ("HTTP/1.1 200 OK\r\nA: b", &b"{}\r\n\r\n"[..])
        );
        assert!(split_answer(b"HTTP/1.1 200 OK\r\n").is_err());
    }
}
