//! The words that settings with a choice are written in.

use crate::settings::{AccessLog, ForwardedProto, LogColor, LogFormat, LogLevel};

pub(super) const FORWARDED_PROTO: [(&str, ForwardedProto); 3] = [
    ("off", ForwardedProto::Off),
    ("trusted", ForwardedProto::Trusted),
    ("anyone", ForwardedProto::Anyone),
];

pub(super) const LOG_FORMAT: [(&str, LogFormat); 3] =
    [("text", LogFormat::Text), ("json", LogFormat::Json), ("none", LogFormat::None)];

pub(super) const LOG_LEVEL: [(&str, LogLevel); 6] = [
    ("all", LogLevel::All),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
    ("fatal", LogLevel::Fatal),
];

pub(super) const LOG_COLOR: [(&str, LogColor); 3] =
    [("auto", LogColor::Auto), ("true", LogColor::Always), ("false", LogColor::Never)];

pub(super) const ACCESS_LOG: [(&str, AccessLog); 3] =
    [("off", AccessLog::Off), ("errors", AccessLog::Errors), ("all", AccessLog::All)];
