//! The processor by the numbers that it reports, and the name of its design. The model name alone
//! does not tell: several designs call themselves "AMD EPYC".

use super::reading::{field, said};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The processor's identity. On x86, `family`, `model` and `stepping` are those of CPUID; on arm64,
/// `vendor` is the implementer's code, `model` the part number and `stepping` the revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Processor {
    /// The vendor: `GenuineIntel`, `AuthenticAMD`, or an arm64 implementer such as `0x41`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<u32>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<u32>,
    /// The stepping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stepping: Option<u32>,
    /// The name of the design, if the table below knows it: `Zen 5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub design: Option<String>,
}

/// AMD's designs by family and models. Source: `bsp_init_amd` in Linux's
/// arch/x86/kernel/cpu/amd.c.
const AMD: [(u32, RangeInclusive<u32>, &str); 16] = [
    (0x17, 0x00..=0x2f, "Zen"),
    (0x17, 0x50..=0x5f, "Zen"),
    (0x17, 0x30..=0x4f, "Zen 2"),
    (0x17, 0x60..=0x7f, "Zen 2"),
    (0x17, 0x90..=0x91, "Zen 2"),
    (0x17, 0xa0..=0xaf, "Zen 2"),
    (0x19, 0x00..=0x0f, "Zen 3"),
    (0x19, 0x20..=0x5f, "Zen 3"),
    (0x19, 0x10..=0x1f, "Zen 4"),
    (0x19, 0x60..=0xaf, "Zen 4"),
    (0x1a, 0x00..=0x2f, "Zen 5"),
    (0x1a, 0x40..=0x4f, "Zen 5"),
    (0x1a, 0x60..=0x7f, "Zen 5"),
    (0x1a, 0x50..=0x5f, "Zen 6"),
    (0x1a, 0x80..=0xaf, "Zen 6"),
    (0x1a, 0xc0..=0xcf, "Zen 6"),
];

/// Intel's designs of family 6 by model. Model 85 is three of them, told apart by the stepping.
/// Source: Linux's arch/x86/include/asm/intel-family.h.
const INTEL: [(u32, &str); 22] = [
    (63, "Haswell-EP"),
    (79, "Broadwell-EP"),
    (86, "Broadwell-DE"),
    (78, "Skylake"),
    (94, "Skylake"),
    (142, "Kaby Lake"),
    (158, "Kaby Lake"),
    (165, "Comet Lake"),
    (166, "Comet Lake"),
    (106, "Ice Lake-SP"),
    (108, "Ice Lake-D"),
    (125, "Ice Lake"),
    (126, "Ice Lake"),
    (140, "Tiger Lake"),
    (141, "Tiger Lake"),
    (143, "Sapphire Rapids"),
    (151, "Alder Lake"),
    (154, "Alder Lake"),
    (183, "Raptor Lake"),
    (207, "Emerald Rapids"),
    (173, "Granite Rapids"),
    (174, "Granite Rapids-D"),
];

/// arm64's designs by implementer and part. Source: Linux's arch/arm64/include/asm/cputype.h.
const ARM: [(&str, u32, &str); 8] = [
    ("0x41", 0xd08, "Cortex-A72"),
    ("0x41", 0xd0c, "Neoverse N1"),
    ("0x41", 0xd40, "Neoverse V1"),
    ("0x41", 0xd49, "Neoverse N2"),
    ("0x41", 0xd4f, "Neoverse V2"),
    ("0x41", 0xd8e, "Neoverse N3"),
    ("0x41", 0xd84, "Neoverse V3"),
    ("0xc0", 0xac3, "Ampere-1"),
];

impl Processor {
    /// Reads the first processor of a text in the format of /proc/cpuinfo.
    pub(super) fn parse(cpuinfo: &str) -> Option<Processor> {
        let number = |name: &str| {
            let text = field(cpuinfo, name)?;
            match text.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            }
        };
        let mut processor = match field(cpuinfo, "vendor_id") {
            Some(vendor) => Processor {
                vendor: Some(vendor),
                family: number("cpu family"),
                model: number("model"),
                stepping: number("stepping"),
                design: None,
            },
            None => Processor {
                vendor: Some(field(cpuinfo, "CPU implementer")?),
                family: number("CPU architecture"),
                model: number("CPU part"),
                stepping: number("CPU revision"),
                design: None,
            },
        };
        processor.design = processor.known_design().map(str::to_string);
        Some(processor)
    }

    /// Asks macOS, which names its own processors by design.
    pub(super) fn of_macos() -> Option<Processor> {
        let design = said("sysctl", &["-n", "machdep.cpu.brand_string"])
            .filter(|name| name.starts_with("Apple "));
        Some(Processor {
            vendor: Some("Apple".to_string()),
            design: Some(design?),
            ..Self::default()
        })
    }

    fn known_design(&self) -> Option<&'static str> {
        let model = self.model?;
        match self.vendor.as_deref()? {
            "AuthenticAMD" => AMD
                .iter()
                .find(|(family, models, _)| Some(*family) == self.family && models.contains(&model))
                .map(|(_, _, design)| *design),
            "GenuineIntel" if self.family == Some(6) && model == 85 => {
                Some(match self.stepping? {
                    0..=4 => "Skylake-SP",
                    5..=7 => "Cascade Lake",
                    _ => "Cooper Lake",
                })
            }
            "GenuineIntel" if self.family == Some(6) => {
                INTEL.iter().find(|(known, _)| *known == model).map(|(_, design)| *design)
            }
            implementer => ARM
                .iter()
                .find(|(vendor, part, _)| *vendor == implementer && *part == model)
                .map(|(_, _, design)| *design),
        }
    }

    /// Returns the design as the word by which a condition names it: `zen5`, `emeraldrapids`.
    pub fn word(&self) -> Option<String> {
        let letters = self.design.as_ref()?.chars().filter(char::is_ascii_alphanumeric);
        Some(letters.collect::<String>().to_lowercase())
    }

    /// Formats the numbers: `GenuineIntel, family 6, model 207, stepping 2`.
    pub(super) fn numbers(&self) -> Option<String> {
        let number = |name: &str, n: Option<u32>| n.map(|n| format!("{name} {n}"));
        let parts: Vec<String> = [
            self.vendor.clone(),
            number("family", self.family),
            number("model", self.model),
            number("stepping", self.stepping),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x86(vendor: &str, family: u32, model: u32, stepping: u32) -> Option<String> {
        let text = format!(
            "processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n\
             model name\t: AMD EPYC\nstepping\t: {stepping}\n"
        );
        Processor::parse(&text).unwrap().design
    }

    #[test]
    fn a_design_is_told_by_family_and_model() {
        for (vendor, family, model, stepping, design) in [
            ("AuthenticAMD", 23, 1, 2, "Zen"),
            ("AuthenticAMD", 23, 49, 0, "Zen 2"),
            ("AuthenticAMD", 25, 1, 1, "Zen 3"),
            ("AuthenticAMD", 25, 17, 1, "Zen 4"),
            ("AuthenticAMD", 26, 2, 1, "Zen 5"),
            ("GenuineIntel", 6, 85, 4, "Skylake-SP"),
            ("GenuineIntel", 6, 85, 7, "Cascade Lake"),
            ("GenuineIntel", 6, 106, 6, "Ice Lake-SP"),
            ("GenuineIntel", 6, 143, 8, "Sapphire Rapids"),
            ("GenuineIntel", 6, 207, 2, "Emerald Rapids"),
            ("GenuineIntel", 6, 173, 1, "Granite Rapids"),
        ] {
            let found = x86(vendor, family, model, stepping);
            assert_eq!(found.as_deref(), Some(design), "{vendor} {family} {model} {stepping}");
        }
        assert_eq!(x86("AuthenticAMD", 6, 207, 2), None, "another vendor's model");
        assert_eq!(x86("GenuineIntel", 15, 207, 2), None, "another family's model");
        assert_eq!(x86("GenuineIntel", 6, 1, 2), None, "not in the table");
    }

    #[test]
    fn arm64_is_told_by_implementer_and_part() {
        let text = "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n\
                    CPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n";
        let processor = Processor::parse(text).unwrap();
        assert_eq!(processor.design.as_deref(), Some("Neoverse N1"));
        assert_eq!(processor.word().as_deref(), Some("neoversen1"));
        assert_eq!(processor.numbers().unwrap(), "0x41, family 8, model 3340, stepping 1");
        assert_eq!(Processor::parse("nothing here"), None);
    }
}
