//! `weir token`: gateway tokens from the first key to the last.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::harness::gateway::{WEIR, weir};

/// A folder with a file of keys, and what `weir token` does with it.
struct Keys {
    _folder: TempDir,
    path: PathBuf,
}

impl Keys {
    /// The keys of `berlin`.
    fn new() -> Self {
        let keys = Self::none();
        let (code, _, told) = keys.token(&["rotate", "--gateway", "berlin", "--new"]);
        assert_eq!(code, Some(0), "{told}");
        keys
    }

    fn none() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway-keys.yaml");
        Self { _folder: folder, path }
    }

    /// Exit code, standard output, standard error.
    fn token(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let keys = self.path.to_str().unwrap();
        parts(&weir(&[&["token"], arguments, &["--keys", keys]].concat()))
    }

    fn create(&self, arguments: &[&str]) -> String {
        let (code, out, told) =
            self.token(&[&["create", "--gateway", "berlin"], arguments].concat());
        assert_eq!(code, Some(0), "{told}");
        out.trim_end().to_owned()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }
}

fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The same with a standard input.
fn piped(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(WEIR);
    command
        .env_clear()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have read enough before the end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    parts(&child.wait_with_output().unwrap())
}

#[test]
fn a_token_is_made_looked_at_and_revoked() {
    let keys = Keys::new();
    let mode = keys.path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let token = keys.create(&[]);
    assert!(token.starts_with("GatewayKey berlin&"), "{token}");
    let signature = token.rsplit('&').next().unwrap();
    let (code, out, told) = keys.token(&["inspect", &token]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    for part in ["gateway  berlin\n", "in 29 days", "good     yes, signed with the primary key"] {
        assert!(out.contains(part), "{out}");
    }
    assert!(!out.contains(signature), "{out}");
    let (code, _, told) = keys.token(&["revoke", &token]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("is good for nothing any more") && !told.contains(signature), "{told}");
    let (code, out, _) = keys.token(&["inspect", &token]);
    assert_eq!(code, Some(1));
    assert!(out.contains("good     no, this token is revoked"), "{out}");
    let (code, _, told) = keys.token(&["revoke", &token]);
    assert_eq!(code, Some(0));
    assert!(told.contains("was revoked already"), "{told}");
    assert!(!keys.text().contains(signature));
    let (code, out, _) = keys.token(&["inspect", &keys.create(&[])]);
    assert_eq!(code, Some(0), "{out}");
}

#[test]
fn a_token_passes_through_a_pipe_and_is_read_by_machines() {
    let keys = Keys::new();
    let token = keys.create(&["--expires", "3d", "--key", "secondary"]);
    let path = keys.path.to_str().unwrap();
    let look = ["token", "inspect", "-", "--format", "json"];
    let (code, out, _) = piped(&[&look[..], &["--keys", path]].concat(), &format!(" {token}\r\n"));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    let told = ["gateway", "state", "good", "key"].map(|name| report[name].to_string());
    assert_eq!(told, [r#""berlin""#, r#""near""#, "true", r#""secondary""#]);
    // Without keys nobody can say whether it is good.
    let (code, out, _) = piped(&look, &token);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, report.get("good")), (Some(0), None));
    let (code, _, told) = piped(&look, "eyJhbGciOiJub25lIn0.e30.");
    assert_eq!(code, Some(1));
    assert!(told.contains("this is no gateway token: it does not begin with"), "{told}");
    let (code, _, told) = piped(&look, &"x".repeat(1 << 20));
    assert_eq!(code, Some(1));
    assert!(told.contains("more than 512 bytes"), "{told}");
    let old = "GatewayKey berlin&202001010000&".to_owned() + token.rsplit('&').next().unwrap();
    let (code, out, _) = piped(&look, &old);
    assert_eq!(code, Some(1));
    assert!(out.contains("\"state\": \"expired\""), "{out}");
}

#[test]
fn a_key_is_replaced_while_the_other_goes_on() {
    let keys = Keys::new();
    let (first, second) = (keys.create(&[]), keys.create(&["--key", "secondary"]));
    let (code, out, told) = keys.token(&["rotate", "--gateway", "berlin", "--key", "primary"]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("a new primary key"), "{told}");
    let (code, out, _) = keys.token(&["inspect", &first]);
    assert_eq!(code, Some(1));
    assert!(out.contains("neither key of the gateway signed this token"), "{out}");
    assert_eq!(keys.token(&["inspect", &second]).0, Some(0));
    assert_eq!(keys.token(&["inspect", &keys.create(&[])]).0, Some(0));
    let (code, _, told) = keys.token(&["revoke", &first]);
    assert_eq!(code, Some(1), "{told}");
}

#[test]
fn what_cannot_be_done_is_told_with_a_remedy_and_changes_nothing() {
    let keys = Keys::new();
    let before = keys.text();
    for (arguments, code, part) in [
        (vec!["create", "--gateway", "paris"], 1, "weir token rotate --gateway paris --new"),
        (vec!["rotate", "--gateway", "paris", "--key", "primary"], 1, "--gateway paris --new"),
        (vec!["rotate", "--gateway", "berlin", "--new"], 1, "--key primary"),
        (vec!["rotate", "--gateway", "berlin"], 2, "--key"),
        (vec!["rotate", "--gateway", "a&b", "--new"], 2, "not '&'"),
        (vec!["create", "--gateway", "berlin", "--expires", "31d"], 2, "from 1m to 30d"),
        (vec!["create", "--gateway", "berlin", "--expires", "0s"], 2, "from 1m to 30d"),
        (vec!["create", "--gateway", "berlin", "--expires", "-1d"], 2, "from 1m to 30d"),
        (vec!["create", "--gateway", "berlin", "--expires", "18446744073709551616d"], 2, "30d"),
        (vec!["revoke", "GatewayKey berlin"], 1, "three parts"),
    ] {
        let (got, out, told) = keys.token(&arguments);
        assert_eq!((got, out.as_str()), (Some(code), ""), "{arguments:?}: {told}");
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
    assert_eq!(keys.text(), before);
    let (code, _, told) = Keys::none().token(&["create", "--gateway", "berlin"]);
    assert_eq!(code, Some(2));
    for part in ["there is no such file", "weir token rotate --gateway NAME --new"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_wrong_file_of_keys_is_told_without_its_keys_and_one_open_to_all_is_noted() {
    let keys = Keys::new();
    let right = keys.text();
    fs::set_permissions(&keys.path, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, told) = keys.token(&["create", "--gateway", "berlin"]);
    assert_eq!(code, Some(0));
    assert!(told.contains("everybody on this machine may read"), "{told}");
    fs::write(&keys.path, right.replace("primaryKey", "primarKey")).unwrap();
    let (code, _, told) = keys.token(&["create", "--gateway", "berlin"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("gateway-keys.yaml:5:5") && told.contains("`primaryKey`"), "{told}");
    let secret = right.split("primaryKey: \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(40 < secret.len() && !told.contains(secret), "{told}");
}

#[test]
fn commands_that_run_at_once_lose_nothing() {
    let keys = Keys::new();
    let tokens: Vec<String> =
        (1..=6).map(|days| keys.create(&["--expires", &format!("{days}d")])).collect();
    thread::scope(|scope| {
        for token in &tokens {
            scope.spawn(|| assert_eq!(keys.token(&["revoke", token]).0, Some(0)));
        }
    });
    for token in &tokens {
        let (code, out, _) = keys.token(&["inspect", token]);
        assert_eq!(code, Some(1));
        assert!(out.contains("revoked"), "{out}");
    }
}
