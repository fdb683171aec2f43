//! The target of an outgoing call: read, and resolved to the routes by which it may be called. Nothing is called that no rule
//! names.

use crate::{
    Calls,
    bindings::{Binding, Registrant},
    control::DialRefused,
    route::Route,
    trunks::{credentials, outbound_route},
};
use plenary_conference::AccountId;
use plenary_model::{Number, Srtp, Trunk, is_host, spelled};
use plenary_sip::{
    DialSpec, NameAddr, Redirection,
    sdp::Policy,
    ua::{Flow, Transport},
};
use std::sync::Arc;

const DIGITS_MAX: usize = 32;

/// Whom to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DialTarget {
    /// A telephone number: digits, with `+` before them where it is a global one.
    Number(String),
    /// A user at a host.
    Uri { scheme: &'static str, user: String, host: String, rest: String },
    /// A user of the account.
    User(String),
    /// A client of the account in a browser, by its id.
    Client(String),
}

impl DialTarget {
    /// Of `tel:…`, `sip:…`, `sips:…`, `user:…` or `webrtc:…`. `Err`: what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let forms = "must be tel:+NUMBER, sip:USER@HOST, user:NAME or webrtc:CLIENT";
        let (scheme, rest) = text.split_once(':').ok_or(forms)?;
        match scheme.to_ascii_lowercase().as_str() {
            "tel" => {
                // Parameters say nothing that a number does not; visual separators are for people (RFC 3966, 3).
                let number: String = unescaped(rest).chars().filter(|c| *c != ' ').collect();
                Self::number(&number).ok_or_else(|| {
                    format!("a number has 1 to {DIGITS_MAX} digits, with or without a + before them; one without may hold * and # too")
                })
            }
            "user" => {
                let is_name = plenary_model::is_user(rest);
                if is_name {
                    Ok(Self::User(rest.to_owned()))
                } else {
                    Err("user:NAME names a SIP user".to_owned())
                }
            }
            "webrtc" => {
                if plenary_model::is_user(rest) {
                    Ok(Self::Client(rest.to_owned()))
                } else {
                    Err("webrtc:CLIENT names a client in a browser: 1 to 64 letters, digits and -_.+"
                        .to_owned())
                }
            }
            "sip" => Self::uri("sip", rest),
            "sips" => Self::uri("sips", rest),
            _ => Err(forms.to_owned()),
        }
    }

    fn number(text: &str) -> Option<Self> {
        let number = Number::parse(text).filter(|number| number.digits().len() <= DIGITS_MAX)?;
        Some(Self::Number(number.subscriber()))
    }

    fn uri(scheme: &'static str, text: &str) -> Result<Self, String> {
        let (user, address) = text.split_once('@').ok_or("a SIP URI is sip:USER@HOST")?;
        let is_user = (1..=128).contains(&user.len())
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;/%".contains(&byte));
        if !is_user {
            return Err(
                "the user part of a SIP URI has 1 to 128 letters, digits and -_.!~*'()&=+$,;/%".to_owned()
            );
        }
        let mut parts = address.split(';');
        let server = parts.next().unwrap_or_default();
        let end = match server.strip_prefix('[') {
            Some(_) => server.find(']').map_or(server.len(), |end| end + 1),
            None => server.find(':').unwrap_or(server.len()),
        };
        let (host, port) = server.split_at(end);
        let is_port = port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !is_host(host) || !is_port {
            return Err("the host of a SIP URI is a name or an address, with :PORT where wanted".to_owned());
        }
        let mut rest = port.to_owned();
        for parameter in parts {
            match parameter.to_ascii_lowercase().as_str() {
                known @ ("transport=udp" | "transport=tcp" | "transport=tls") => {
                    rest.push(';');
                    rest.push_str(known);
                }
                // Says that the user is a number, or how routing is done: nothing that we need.
                "user=phone" | "user=ip" | "lr" | "ob" => {}
                _ => {
                    return Err(
                        "a SIP URI here has no other parameter than transport=udp, tcp or tls".to_owned()
                    );
                }
            }
        }
        Ok(Self::Uri { scheme, user: user.to_owned(), host: host.to_ascii_lowercase(), rest })
    }

    /// As one reads it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Number(number) => format!("tel:{number}"),
            Self::Uri { scheme, user, host, rest } => format!("{scheme}:{user}@{host}{rest}"),
            Self::User(name) => format!("user:{name}"),
            Self::Client(id) => format!("webrtc:{id}"),
        }
    }

    /// What stands for it in lists: the number, or the user part.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Number(name) | Self::User(name) | Self::Client(name) => name.clone(),
            Self::Uri { user, .. } => spelled(&unescaped(user)),
        }
    }

    /// Who has to be registered here for it to be called.
    fn registrant(&self) -> Option<Registrant> {
        match self {
            Self::User(name) => Some(Registrant::User(name.clone())),
            Self::Client(id) => Some(Registrant::Client(id.clone())),
            Self::Number(_) | Self::Uri { .. } => None,
        }
    }
}

impl From<&Registrant> for DialTarget {
    fn from(who: &Registrant) -> Self {
        match who {
            Registrant::User(name) => Self::User(name.clone()),
            Registrant::Client(id) => Self::Client(id.clone()),
        }
    }
}

impl Calls {
    /// The ways to a target, the one to be tried first first.
    pub(crate) fn routes(
        &self,
        account: AccountId,
        target: &DialTarget,
        named: Option<&str>,
        from: Option<&str>,
    ) -> Result<Vec<Route>, DialRefused> {
        if let Some(who) = target.registrant() {
            let bindings = self.bindings.of(account, &who, self.now.mono);
            if bindings.is_empty() {
                return Err(DialRefused::NotRegistered);
            }
            return Ok(bindings.into_iter().map(|binding| self.to_telephone(binding, from)).collect());
        }
        let serves = |trunk: &Trunk| match target {
            DialTarget::Number(number) => trunk.serves_number(number),
            DialTarget::Uri { host, .. } => trunk.serves_host(host),
            DialTarget::User(_) | DialTarget::Client(_) => false,
        };
        let trunks = match named {
            Some(name) => {
                let trunk = self.trunks.get(account, name).ok_or(DialRefused::UnknownTrunk)?;
                if !serves(&trunk) {
                    let text = format!(
                        "the trunk {name} does not serve this: its prefixes and hosts say what it serves"
                    );
                    return Err(DialRefused::NotPermitted(text));
                }
                vec![trunk]
            }
            None => self.trunks.serving(account, serves),
        };
        if trunks.is_empty() {
            let text =
                "no trunk of the account serves this: prefixes and hosts of a trunk say what it serves";
            return Err(DialRefused::NotPermitted(text.to_owned()));
        }
        let free: Vec<_> = trunks.into_iter().filter(|trunk| self.has_free_line(trunk)).collect();
        if free.is_empty() {
            return Err(DialRefused::TrunksBusy);
        }
        Ok(free.into_iter().map(|trunk| self.through(trunk, target, from)).collect())
    }

    /// The ways to a client that another client calls, which sees by the host of From that it is one.
    pub(crate) fn routes_to_client(&self, account: AccountId, id: &str, from: &str) -> Vec<Route> {
        let bindings = self.bindings.of(account, &Registrant::Client(id.to_owned()), self.now.mono);
        let route = |binding: Binding| {
            let from_host = Some(binding.domain.clone());
            let mut route = self.to_telephone(binding, Some(from));
            route.spec.from_host = from_host;
            route.spec.is_focus = false;
            route
        };
        bindings.into_iter().map(route).collect()
    }

    fn to_telephone(&self, binding: Binding, from: Option<&str>) -> Route {
        let from_host = service_host(&binding.domain);
        let Binding { contact, path, flow, .. } = binding;
        let is_browser = matches!(flow.transport, Transport::Ws | Transport::Wss);
        Route {
            trunk: None,
            spec: DialSpec {
                uri: contact,
                from_user: from.unwrap_or("conference").to_owned(),
                from_host,
                route: path,
                flow: Some(flow),
                is_focus: true,
                redirection: Redirection::Refuse,
                ..DialSpec::default()
            },
            srtp: self.settings.srtp,
            is_secure: flow.transport.is_secure(),
            is_browser,
        }
    }

    fn through(&self, trunk: Arc<Trunk>, target: &DialTarget, from: Option<&str>) -> Route {
        let server = &trunk.settings.uri;
        let (uri, hosts) = match target {
            DialTarget::Number(number) => {
                let number = if trunk.settings.plus { number } else { number.trim_start_matches('+') };
                // It would end the user part, and more (RFC 3261, 25.1).
                let number = number.replace('#', "%23");
                let uri =
                    format!("{}:{number}@{}{}{}", server.scheme, server.host, server.port, server.transport);
                (uri, vec![server.host.clone()])
            }
            // A redirection may lead to where the trunk could have been asked to go.
            DialTarget::Uri { host, .. } => {
                let named = trunk.settings.hosts.iter().filter(|host| !host.starts_with("*."));
                (target.shown(), named.chain([host]).cloned().collect())
            }
            DialTarget::User(_) | DialTarget::Client(_) => (target.shown(), Vec::new()),
        };
        let mut route = outbound_route(&trunk);
        route.extend(self.trunks.service_route(&trunk));
        let is_secure = match (&trunk.settings.outbound_proxy, target) {
            (Some(proxy), _) => proxy.scheme == "sips" || proxy.transport.ends_with("tls"),
            (None, DialTarget::Number(_)) => server.scheme == "sips" || server.transport.ends_with("tls"),
            (None, _) => uri.starts_with("sips:") || uri.ends_with("transport=tls"),
        };
        let from_user = from
            .or(trunk.settings.from_user.as_deref())
            .or(trunk.settings.user.as_deref())
            .unwrap_or("conference")
            .to_owned();
        let asserted = trunk.asserted().map(|(user, host)| NameAddr { display_name: None, user, host });
        let spec = DialSpec {
            uri,
            from_user,
            from_host: Some(server.host.clone()),
            asserted,
            is_private: trunk.settings.privacy,
            is_focus: true,
            credentials: credentials(&trunk),
            route,
            redirection: Redirection::Within(hosts),
            ..DialSpec::default()
        };
        let srtp = match trunk.settings.srtp {
            Some(Srtp::Required) => Policy::Required,
            Some(Srtp::Preferred) => Policy::Preferred,
            Some(Srtp::Off) => Policy::Off,
            None => self.settings.srtp,
        };
        Route { trunk: Some(trunk), spec, srtp, is_secure, is_browser: false }
    }

    /// Whom a telephone means by the URI that it wants to have called: a user of the account whose telephone is there or
    /// who is named at our address, a number at our address, or what the URI says.
    pub(crate) fn referred_target(
        &self,
        account: AccountId,
        uri: &str,
        ours: &[String],
    ) -> Result<DialTarget, String> {
        let now = self.now.mono;
        if let Some(who) = self.bindings.registrant_at(account, uri, now) {
            return Ok(who.into());
        }
        let target = DialTarget::parse(uri)?;
        if let DialTarget::Uri { user, host, .. } = &target
            && ours.iter().any(|known| known.eq_ignore_ascii_case(host))
        {
            let user = unescaped(user);
            if !self.bindings.of(account, &Registrant::User(user.clone()), now).is_empty() {
                return Ok(DialTarget::User(user));
            }
            if let Some(number) = DialTarget::number(&user) {
                return Ok(number);
            }
        }
        Ok(target)
    }
}

/// The host that services have for a client that registered with `KEY.webrtc-CLOUD.aculabcloud.net`: it tells its user by that
/// of From whether a service calls or another client.
fn service_host(domain: &str) -> Option<String> {
    let (_, cloud) = domain.split_once(".webrtc-")?;
    Some(format!("sip-{}.aculab.com", cloud.strip_suffix(".aculabcloud.net")?))
}

/// The characters that a number may hold and URIs may escape (RFC 3986, section 2.1).
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escape, c) in [("%2B", "+"), ("%23", "#"), ("%2A", "*"), ("%28", "("), ("%29", ")"), ("%20", " ")] {
        plain = plain.replace(escape, c).replace(&escape.to_ascii_lowercase(), c);
    }
    plain
}

/// The flow of a call that has none yet: nothing was sent, and nothing came.
pub(crate) fn no_flow(local: std::net::IpAddr) -> Flow {
    let local = std::net::SocketAddr::new(local, 0);
    Flow { transport: Transport::Udp, local, remote: local, is_foreign: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_by_the_host_of_from_that_a_service_calls() {
        assert_eq!(service_host("k3y.webrtc-1-2-0.aculabcloud.net").as_deref(), Some("sip-1-2-0.aculab.com"));
        for other in ["", "example.com", "webrtc-1-2-0.aculabcloud.net", "k.webrtc-1-2-0.example.net"] {
            assert_eq!(service_host(other), None, "{other}");
        }
    }

    #[test]
    fn targets_are_read_and_what_is_odd_is_refused() {
        for (text, shown) in [
            ("tel:+44-1908.27(3800)", "tel:+441908273800"),
            ("TEL:112;phone-context=+44", "tel:112"),
            ("tel:*98", "tel:*98"),
            ("tel:%231", "tel:#1"),
            ("tel:#31#030-1", "tel:#31#0301"),
            ("tel:%2b44 1908", "tel:+441908"),
            ("tel:+44-1908;ext=7", "tel:+441908"),
            ("sip:*98@example.com", "sip:*98@example.com"),
            ("sip:%231@example.com", "sip:%231@example.com"),
            ("sip:bob@Example.com", "sip:bob@example.com"),
            ("sip:bob@192.0.2.1:5070;transport=TCP", "sip:bob@192.0.2.1:5070;transport=tcp"),
            ("sips:bob@[2001:db8::1]", "sips:bob@[2001:db8::1]"),
            ("sip:+44@h;user=phone", "sip:+44@h"),
            ("user:alice", "user:alice"),
            ("webrtc:alice-1.a", "webrtc:alice-1.a"),
        ] {
            assert_eq!(DialTarget::parse(text).unwrap().shown(), shown, "{text}");
        }
        for text in [
            "",
            "bob",
            "tel:",
            "tel:+",
            "tel:abc",
            "tel:+44*1",
            "sip:host",
            "sip:@host",
            "sip:a@b?Route=x",
            "sip:a@b;maddr=10.0.0.1",
            "sip:a b@c",
            "sip:a@b>",
            "sip:a@b:0",
            "user:a b",
            "webrtc:",
            "webrtc:a@b",
            "http://x",
        ] {
            assert!(DialTarget::parse(text).is_err(), "{text}");
        }
    }
}
