//! Where what stands in a pod stands on this machine: paths below a directory, ports that are free.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
};

/// Words of a pod, and what is written in their place.
#[derive(Debug, Default)]
pub struct Mapping {
    words: Vec<(String, String)>,
}

impl Mapping {
    /// A word (a port), or a path with everything below it, stands for another.
    pub fn add(&mut self, from: impl Into<String>, to: impl Into<String>) {
        self.words.push((from.into(), to.into()));
        // The longest first: a path may lie below another.
        self.words.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    }

    /// Adds a path.
    pub fn add_path(&mut self, from: &str, to: &Path) {
        self.add(from, to.to_str().expect("a path in UTF-8"));
    }

    /// The text with every word replaced, once.
    pub fn text(&self, text: &str) -> String {
        let mut mapped = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_whole = |word: &str| rest.starts_with(word) && !continues(&rest[word.len()..]);
            let found = self.words.iter().filter(|_| !mapped.ends_with(is_of_a_word)).find(|(from, _)| is_whole(from));
            if let Some((from, to)) = found {
                mapped.push_str(to);
                rest = &rest[from.len()..];
            } else {
                mapped.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        mapped
    }

    /// Where a path of the pod is.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(self.text(path))
    }
}

fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-/".contains(character)
}

/// Whether a word goes on: below a path is still the path.
fn continues(rest: &str) -> bool {
    rest.chars().next().is_some_and(|next| next != '/' && is_of_a_word(next))
}

/// A port that nobody listens on. Not one that the system would give away: between this look and the workspace's start
/// somebody's connection could get it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs at once begin at different places.
    let begin = u16::try_from(std::process::id() % 10_000).expect("it fits");
    for _ in 0..10_000 {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::SeqCst)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

#[test]
fn whole_paths_and_ports_are_replaced_and_nothing_else() {
    let mut mapping = Mapping::default();
    mapping.add("18788", "20001");
    mapping.add("/home/node", "/s/root/home/node");
    mapping.add("/home/node/.openclaw", "/s/claim");
    mapping.add("/tmp", "/s/tmp");
    for (text, expected) in [
        (
            r#"{"port": 18788, "path": "/home/node/.openclaw/gateway-token"}"#,
            r#"{"port": 20001, "path": "/s/claim/gateway-token"}"#,
        ),
        ("cp /tmp/* /home/node/", "cp /s/tmp/* /s/root/home/node/"),
        ("/tmp:/usr/tmp:/tmpfs 118788 /home/node.old", "/s/tmp:/usr/tmp:/tmpfs 118788 /home/node.old"),
        ("[ -s /tmp ] > /home/node/.openclaw", "[ -s /s/tmp ] > /s/claim"),
    ] {
        assert_eq!(mapping.text(text), expected);
    }
}
