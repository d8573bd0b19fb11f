//! Where in the storage a volume is.
//!
//! PURE. Two volumes of one place are one volume, whatever their handles look like: to delete one deletes the other's files.

use smol_str::{SmolStr, format_smolstr};

/// A place on Amazon EFS, as its CSI driver writes it: `file system[:path[:access point]]`, the path empty or absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EfsPlace<'a> {
    /// The file system.
    pub file_system: &'a str,
    /// The path, without slashes at its ends.
    pub path: &'a str,
    /// The access point, whose root directory the path is seen from.
    pub access_point: Option<&'a str>,
}

/// The place of a handle of the EFS driver; `None` for any other.
pub fn on_efs(handle: &str) -> Option<EfsPlace<'_>> {
    let mut parts = handle.splitn(3, ':');
    let file_system = parts.next().filter(|text| text.starts_with("fs-"))?;
    let path = parts.next().unwrap_or_default().trim_matches('/');
    let access_point = parts.next().filter(|text| !text.is_empty());
    Some(EfsPlace { file_system, path, access_point })
}

/// One spelling for all handles of a place.
pub fn spelled_once(handle: &str) -> SmolStr {
    match on_efs(handle) {
        Some(EfsPlace { file_system, path, access_point }) => {
            format_smolstr!("{file_system}:{path}:{}", access_point.unwrap_or_default())
        }
        None => handle.into(),
    }
}

/// Whether two handles name one place.
pub fn is_same(one: &str, other: &str) -> bool {
    spelled_once(one) == spelled_once(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_on_efs_has_several_spellings() {
        for (one, other) in [("fs-1::fsap-1", "fs-1:/:fsap-1"), ("fs-1", "fs-1:/"), ("fs-1:/home", "fs-1:/home/")] {
            assert!(is_same(one, other) && spelled_once(one) == spelled_once(other), "{one} {other}");
        }
        for (one, other) in [("fs-1::fsap-1", "fs-1::fsap-2"), ("fs-1::fsap-1", "fs-2::fsap-1"), ("fs-1:/a", "fs-1:/b")]
        {
            assert!(!is_same(one, other) && spelled_once(one) != spelled_once(other), "{one} {other}");
        }
        assert!(is_same("/data/1", "/data/1") && !is_same("/data/1", "/data/1/"), "of another driver nothing is known");
    }

    proptest::proptest! {
        #[test]
        fn handles_of_one_place_and_no_others_are_spelled_alike(
            one in "(fs-[12])?:?/?[ab]?/?:?(fsap-[12])?",
            other in "(fs-[12])?:?/?[ab]?/?:?(fsap-[12])?",
        ) {
            let is_one_place = match (on_efs(&one), on_efs(&other)) {
                (Some(one), Some(other)) => one == other,
                (Some(_), None) | (None, Some(_)) => false,
                (None, None) => one == other,
            };
            proptest::prop_assert_eq!(is_same(&one, &other), is_one_place);
            proptest::prop_assert_eq!(spelled_once(&one) == spelled_once(&other), is_one_place);
        }
    }
}
