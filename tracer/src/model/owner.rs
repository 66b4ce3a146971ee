//! Who an attempt belongs to: pod, namespace, container. As names, and as the text that events carry.

use std::sync::Arc;

use tracer_common::events::{self, OWNER_TEXT, Stamp};

/// Separates the names in the text; no name contains it.
const SEPARATOR: char = '/';

/// Names as they were while it lived; what is not known is `None`, and an owner without any name is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Kubernetes namespace.
    pub namespace: Option<Arc<str>>,
    /// Pod.
    pub pod: Option<Arc<str>>,
    /// Container: of a pod where it has one only, else one that Docker or Podman runs.
    pub container: Option<Arc<str>>,
}

impl Owner {
    /// The names in a text as [`Owner::text`] writes it. Of a hostile trace it may be anything.
    pub fn parse(text: &str) -> Self {
        let mut names = text.splitn(3, SEPARATOR).map(|name| (!name.is_empty()).then(|| Arc::from(name)));
        let mut next = || names.next().flatten();
        Self { namespace: next(), pod: next(), container: next() }
    }

    /// For people: `namespace/pod`, or the container that no pod has.
    pub fn label(&self) -> String {
        let known = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("-").to_owned();
        match self {
            Self { namespace: None, pod: None, container } => known(container),
            Self { namespace, pod, .. } => format!("{}/{}", known(namespace), known(pod)),
        }
    }

    /// `namespace/pod/container`; a name that is not known is empty.
    pub fn text(&self) -> String {
        let [namespace, pod, container] =
            [&self.namespace, &self.pod, &self.container].map(|name| name.as_deref().unwrap_or_default());
        format!("{namespace}{SEPARATOR}{pod}{SEPARATOR}{container}")
    }

    /// Whether there is no name.
    pub const fn is_unknown(&self) -> bool {
        self.namespace.is_none() && self.pod.is_none() && self.container.is_none()
    }

    /// The events that name it as the owner of a namespace: one, or several for a long text.
    pub fn events(&self, time_ns: u64, netns: u32, since_ns: u64) -> impl Iterator<Item = events::Owner> {
        let text = self.text();
        let parts: Vec<Vec<u8>> = text.as_bytes().chunks(OWNER_TEXT).map(<[u8]>::to_vec).collect();
        let count = u8::try_from(parts.len()).unwrap_or(u8::MAX);
        let stamp = Stamp { time_ns, kind: events::Owner::KIND, netns };
        (0..count).zip(parts).map(move |(part, bytes)| {
            let mut text = [0; OWNER_TEXT];
            text.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
            let length = u8::try_from(bytes.len()).unwrap_or_default();
            events::Owner { stamp, since_ns, part, parts: count, length, unused: [0; 5], text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_comes_back_from_its_text_whatever_is_known_of_it() {
        for text in ["shop/checkout-0/app", "shop/checkout-0/", "//web", "//", "shop//"] {
            assert_eq!(Owner::parse(text).text(), text);
        }
        assert!(Owner::parse("//").is_unknown());
        assert_eq!(Owner::parse("shop/checkout-0/").container, None);
    }

    #[test]
    fn any_text_of_a_hostile_trace_is_some_owner() {
        assert!(Owner::parse("").is_unknown());
        assert_eq!(Owner::parse("a/b/c/d").container.as_deref(), Some("c/d"));
    }

    #[test]
    fn a_usual_owner_is_one_event_and_the_longest_is_not_cut() {
        let usual = Owner::parse("kube-system/coredns-5d78c9869d-abcde/coredns");
        assert_eq!(usual.events(5, 1, 3).count(), 1);
        let longest = Owner::parse(&format!("{}/{}/{}", "n".repeat(63), "p".repeat(253), "c".repeat(253)));
        let events: Vec<_> = longest.events(5, 1, 3).collect();
        assert_eq!(events.len(), 9);
        let bytes: Vec<u8> = events.iter().flat_map(|event| event.bytes().to_vec()).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), longest.text());
    }
}
