//! nginx as a backend that speaks HTTP/2 in the clear.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::soon;

/// How often another port is tried when somebody took the one that was free.
const PORTS_TRIED: usize = 5;

/// nginx, listening. It ends when the value does.
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    /// Where its files are.
    _folder: TempDir,
}

impl Nginx {
    /// Answers every request with its protocol and its target.
    pub(crate) fn start() -> Self {
        (0..PORTS_TRIED).find_map(|_| Self::attempt()).expect("nginx starts: is it installed?")
    }

    fn attempt() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
        let root = folder.path().display();
        let mut places = String::new();
        for place in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(places, "{place}_temp_path {root}/{place};").expect("fits");
        }
        let text = format!(
            "daemon off;\nmaster_process off;\npid {root}/nginx.pid;\nerror_log stderr;\n\
             events {{}}\nhttp {{\n{places}access_log off;\nclient_max_body_size 0;\nserver {{\n\
             listen {address} http2;\nlocation / {{\nreturn 200 \"$server_protocol $request_uri\";\n\
             }}\n}}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, text).ok()?;
        let program = ["/usr/sbin/nginx", "nginx"].into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        });
        let mut nginx = Self { child: program?, address, _folder: folder };
        let listens = soon(|| {
            let is_over = nginx.child.try_wait().ok()?.is_some();
            (is_over || TcpStream::connect(address).is_ok()).then_some(!is_over)
        });
        (listens == Some(true)).then_some(nginx)
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
