//! From the settings to whose word about the client counts.

use crate::proxy::admit::Trust;
use crate::settings::{Forwarded, ForwardedProto};

/// Whose word counts.
pub(super) fn of(forwarded: &Forwarded) -> Trust {
    Trust {
        networks: forwarded.trusted.clone(),
        forwarded_proto: forwarded.proto != ForwardedProto::Off,
        anyone: forwarded.proto == ForwardedProto::Anyone,
        certificate_field: forwarded.client_certificate.clone(),
    }
}
