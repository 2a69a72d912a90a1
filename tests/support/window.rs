//! The real window under a display of its own, driven through WebKitWebDriver.
//!
//! Each [`Window`] has its own X server, its own driver and its own folders, so that several can run at a time and
//! none sees the desktop of whoever runs the tests. Dropping it ends everything it started.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::program;
use crate::webdriver::{Element, Session};

/// How long something may take to appear in the page. Machines that test are busy.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
/// As fast as a quick person types; the desktop's dialogs drop keys that come faster.
const BETWEEN_KEYS: Duration = Duration::from_millis(250);

/// What is there once the page is painted, be it with the panes or with the reason why there are none.
const PAINTED: &str = "body[data-painted], [data-testid='load-failed']";
/// Control+A, release, Backspace. WebDriver's own Clear sends no `input` event, and the page would not notice.
const CLEAR: &str = "\u{E009}a\u{E000}\u{E003}";

/// The desktop's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// An open window and all that was started for it.
pub struct Window {
    session: Session,
    driver: Group,
    display: Display,
}

impl Window {
    /// Opens the window on `home/data`. Everything else it writes goes below `home` too.
    ///
    /// # Errors
    /// When a program is missing or the window is not painted in time; what it printed is in the error.
    pub fn open(home: &Path, theme: Theme) -> Result<Self> {
        let display = Display::start()?;
        set_theme(home, theme)?;
        let log = home.join("window.log");
        let port = free_port()?;
        let driver = Group::start(&mut driver_command(home, &display, port, &log)?)?;
        wait_for("the driver", || {
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .ok()
                .map(drop))
        })?;
        let arguments = json!(["--data-dir", home.join("data")]);
        let capabilities = json!({ "webkitgtk:browserOptions": { "binary": built("postroom")?, "args": arguments } });
        let session = Session::open(port, &capabilities).with_context(|| said(&log))?;
        let window = Self {
            session,
            driver,
            display,
        };
        window.wait(PAINTED).with_context(|| said(&log))?;
        Ok(window)
    }

    /// Waits until an element is there and shown.
    ///
    /// # Errors
    /// When it is not there in time; the page's text is in the error.
    pub fn wait(&self, css: &str) -> Result<Element> {
        wait_for(css, || Ok(self.session.find(css).ok())).with_context(|| self.page_text())
    }

    /// Whether an element is there now.
    #[must_use]
    pub fn has(&self, css: &str) -> bool {
        self.session.find(css).is_ok()
    }

    /// Waits until the element is there and can be clicked, and clicks it.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn click(&self, css: &str) -> Result<()> {
        let click = || {
            let clicked = self
                .session
                .find(css)
                .and_then(|element| self.session.click(&element));
            Ok(clicked.ok())
        };
        wait_for(&format!("{css} to be clicked"), click).with_context(|| self.page_text())
    }

    /// Replaces the text of a field, as a person does.
    ///
    /// # Errors
    /// When the field does not come or does not hold the text afterwards.
    pub fn fill(&self, css: &str, text: &str) -> Result<()> {
        let field = self.wait(css)?;
        self.session.type_keys(&field, CLEAR)?;
        self.session.type_keys(&field, text)?;
        self.wait_for_value(css, text)
    }

    /// Waits until a field holds this text.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait_for_value(&self, css: &str, text: &str) -> Result<()> {
        let script = "return document.querySelector(arguments[0]).value === arguments[1]";
        let holds = || {
            let answer = self.session.execute(script, json!([css, text]))?;
            Ok((answer == true).then_some(()))
        };
        wait_for(&format!("{css} to hold \"{text}\""), holds)
    }

    /// Chooses a file in the desktop's own dialog, with the keyboard: opens its path field, pastes, confirms.
    ///
    /// # Errors
    /// When the dialog does not come, or does not go.
    pub fn answer_dialog(&self, title: &str, file: &Path) -> Result<()> {
        let search = format!("^{title}$");
        let find = || {
            let found = self.xdotool(&["search", "--onlyvisible", "--name", &search]);
            Ok(found
                .ok()
                .and_then(|found| found.split_whitespace().next().map(str::to_owned)))
        };
        let dialog = wait_for(&format!("the dialog \"{title}\""), find)?;
        self.copy(file)?;
        self.xdotool(&["windowfocus", &dialog])?;
        // Keys that come too early for the path field are lost, so the whole is repeated until the dialog is gone. A
        // confirmed dialog takes a moment to go; keys sent meanwhile would reach the window behind it.
        let answer = || {
            for keys in ["ctrl+l", "ctrl+a", "ctrl+v", "Return"] {
                self.xdotool(&["key", keys])?;
                sleep(BETWEEN_KEYS);
            }
            let closed = (0..20).any(|_| {
                sleep(PAUSE);
                matches!(find(), Ok(None))
            });
            Ok(closed.then_some(()))
        };
        wait_for(&format!("the dialog \"{title}\" to close"), answer)
    }

    fn xdotool(&self, arguments: &[&str]) -> Result<String> {
        let mut command = program::program("xdotool", "apt install xdotool")?;
        command.env("DISPLAY", &self.display.name).args(arguments);
        program::run(command)
    }

    /// Puts the file's path on the clipboard. `xclip` stays to hand it out until the display ends.
    fn copy(&self, file: &Path) -> Result<()> {
        let mut command = Command::new("xclip");
        command
            .args(["-selection", "clipboard"])
            .env("DISPLAY", &self.display.name);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut xclip = command
            .spawn()
            .context("`xclip` is not installed; type: apt install xclip")?;
        if let Some(mut input) = xclip.stdin.take() {
            input.write_all(file.as_os_str().as_encoded_bytes())?;
        }
        xclip.wait()?;
        Ok(())
    }

    /// Waits until the element's text holds these words.
    ///
    /// # Errors
    /// When that takes too long; the page's text is in the error.
    pub fn wait_for_text(&self, css: &str, words: &str) -> Result<()> {
        // The driver's own look at a text leaves out what is cut off at the edge of its box.
        let script = "const found = document.querySelector(arguments[0]);
            return found?.checkVisibility() === true && found.innerText.includes(arguments[1])";
        let look = || {
            let answer = self.session.execute(script, json!([css, words]))?;
            Ok((answer == true).then_some(()))
        };
        wait_for(&format!("`{words}` in {css}"), look).with_context(|| self.page_text())
    }

    /// Waits until a script returns something other than null and false.
    ///
    /// # Errors
    /// When that takes too long or the script throws.
    pub fn wait_for_script(&self, script: &str) -> Result<Value> {
        let ask = || {
            let answer = self.session.execute(script, json!([]))?;
            Ok(Some(answer).filter(|answer| !answer.is_null() && *answer != json!(false)))
        };
        wait_for(script, ask).with_context(|| self.page_text())
    }

    /// Saves a picture of the page in `tests/e2e/shots`, to be looked at.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub fn shoot(&self, name: &str) -> Result<()> {
        let shots = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/shots");
        fs::create_dir_all(&shots)?;
        fs::write(
            shots.join(format!("{name}.png")),
            self.session.screenshot()?,
        )?;
        Ok(())
    }

    /// Has axe-core look at the page and returns what it finds at fault, in words. Empty is good.
    ///
    /// # Errors
    /// When axe-core is not installed or does not answer.
    pub fn accessibility_faults(&self) -> Result<Vec<String>> {
        let axe =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(&axe)
            .with_context(|| format!("{} cannot be read", axe.display()))?;
        self.session.execute(&axe, json!([]))?;
        let found = self.session.execute_async(RUN_AXE, json!([]))?;
        let faults: Vec<String> =
            serde_json::from_value(found).context("axe-core answered with something else")?;
        Ok(faults)
    }

    /// Texts in the page that are larger than the place they have, and so lie over others. Empty is good.
    ///
    /// # Errors
    /// When the page does not answer.
    pub fn texts_without_room(&self) -> Result<Vec<String>> {
        let found = self.session.execute(FIND_TEXTS_WITHOUT_ROOM, json!([]))?;
        serde_json::from_value(found).context("the page answered with something else")
    }

    /// Calls a command of the program from the page, as the panes do.
    ///
    /// # Errors
    /// When the command is answered with a failure.
    pub fn invoke(&self, command: &str) -> Result<Value> {
        const INVOKE: &str = r"
            const done = arguments[1];
            window.__TAURI_INTERNALS__.invoke(arguments[0]).then((value) => done({ value }), (error) => done({ error }));
        ";
        let answer = self.session.execute_async(INVOKE, json!([command]))?;
        ensure!(answer["error"].is_null(), "{command}: {}", answer["error"]);
        Ok(answer["value"].clone())
    }

    /// The shown text of the whole page, for messages.
    fn page_text(&self) -> String {
        let text = self
            .session
            .execute("return document.body.innerText", json!([]));
        format!(
            "the page says: {}",
            text.as_ref()
                .ok()
                .and_then(Value::as_str)
                .unwrap_or("nothing")
        )
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Ends the program in order; what is left afterwards is ended with the driver's group.
        let _ = self.session.close();
        self.driver.end();
    }
}

/// WCAG 2.2 level A and AA; an answer of `rule: what is wrong (where)`.
const RUN_AXE: &str = r"
    const done = arguments[arguments.length - 1];
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    window.axe.run(document, { runOnly: { type: 'tag', values: tags } }).then(
        (result) => done(result.violations.flatMap((fault) =>
            fault.nodes.map((node) => `${fault.id}: ${fault.help} (${node.target.join(' ')}) ${node.failureSummary}`))),
        (error) => done([`axe itself: ${error}`]));
";

/// Texts that go beyond their box without being cut off there; lines may be a little higher than a box.
const FIND_TEXTS_WITHOUT_ROOM: &str = r"
    const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== '');
    const isTooLarge = (node) => {
        const style = getComputedStyle(node);
        if (style.display.startsWith('inline') || style.overflow !== 'visible') return false;
        if (node.closest('.sr-only') || node.clientWidth <= 1) return false;
        return node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 4;
    };
    const page = document.scrollingElement;
    const tooLong = page.scrollHeight > innerHeight || page.scrollWidth > innerWidth ? ['the page itself'] : [];
    return [...document.body.querySelectorAll('*')].filter((node) => hasText(node) && isTooLarge(node))
        .map((node) => `${node.tagName}.${node.className}: ${node.textContent.trim()}`).concat(tooLong);
";

fn driver_command(home: &Path, display: &Display, port: u16, log: &Path) -> Result<Command> {
    let printed = File::create(log)?;
    let mut command = Command::new("WebKitWebDriver");
    command
        .arg(format!("--port={port}"))
        // Without this in the driver's environment the program starts but the session never does.
        .env("TAURI_WEBVIEW_AUTOMATION", "true")
        .env("DISPLAY", &display.name)
        .env_remove("WAYLAND_DISPLAY")
        .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
        .env("NO_AT_BRIDGE", "1")
        .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
        .env("LANG", "C.UTF-8")
        .env("LANGUAGE", "en")
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("share"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .stdin(Stdio::null())
        .stdout(printed.try_clone()?)
        .stderr(printed);
    Ok(command)
}

/// GTK reads its colours from here, and WebKit from GTK.
fn set_theme(home: &Path, theme: Theme) -> Result<()> {
    let folder = home.join("config/gtk-3.0");
    let dark = theme == Theme::Dark;
    fs::create_dir_all(&folder)?;
    fs::write(
        folder.join("settings.ini"),
        format!("[Settings]\ngtk-application-prefer-dark-theme={dark}\n"),
    )?;
    Ok(())
}

fn said(log: &Path) -> String {
    format!(
        "the window printed:\n{}",
        fs::read_to_string(log).unwrap_or_default()
    )
}

/// Runs a verb of the command line on the data folder that [`Window::open`] will use, and returns what it printed.
///
/// # Errors
/// When the verb fails; what it printed is in the error.
pub fn command(home: &Path, verb: &[&str]) -> Result<String> {
    let mut command = program::bounded(&built("postroomd")?);
    command.arg("--data-dir").arg(home.join("data")).args(verb);
    program::run(command)
}

/// A program that was built together with this test.
///
/// # Errors
/// When it is not there.
pub fn built(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    // target/debug/deps/TEST
    let folder = test
        .ancestors()
        .nth(2)
        .context("the test lies in an unusual place")?;
    let program = folder.join(name);
    ensure!(
        program.exists(),
        "{} is not built; `cargo xtask test` builds it",
        program.display()
    );
    Ok(program)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Asks again and again until there is an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        sleep(PAUSE);
    }
}

/// A display without a screen, on a number that was free.
struct Display {
    _server: Group,
    name: String,
}

impl Display {
    fn start() -> Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x900x24",
            "-nolisten",
            "tcp",
        ]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Group::start(&mut command)?;
        let output = server.leader.stdout.take().context("Xvfb has no output")?;
        let mut number = String::new();
        BufReader::new(output).read_line(&mut number)?;
        ensure!(!number.trim().is_empty(), "Xvfb found no free display");
        Ok(Self {
            _server: server,
            name: format!(":{}", number.trim()),
        })
    }
}

/// A program in a process group of its own, with all that it starts. Dropping it ends them all.
struct Group {
    leader: Child,
    ended: bool,
}

impl Group {
    fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let leader = command.process_group(0).spawn();
        let leader = leader.with_context(|| format!("{name} could not be started"))?;
        Ok(Self {
            leader,
            ended: false,
        })
    }

    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        // The leader has not been waited for, so its number, which is the group's too, cannot be another's by now.
        let group = format!("-{}", self.leader.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.leader.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
