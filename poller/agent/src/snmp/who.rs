//! What tells whether the device that answers is the one that answered before.
//!
//! What always holds: the first of serial number, MAC, and object id with model that both sides say decides; a difference there
//! is another device, and what only one side says is no difference.

use codec::model::Identity;

/// What is known of who a device is.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Who {
    serial: Option<String>,
    mac: Option<String>,
    object_id: Option<String>,
    model: Option<String>,
}

impl Who {
    /// Who it says it is.
    pub fn of(identity: &Identity) -> Self {
        Self {
            serial: identity.serial.clone(),
            mac: identity.mac.clone(),
            object_id: identity.object_id.clone(),
            model: identity.model.clone(),
        }
    }

    /// Its MAC.
    pub fn mac(&self) -> Option<&str> {
        self.mac.as_deref()
    }

    /// Whether what answered may be this device: nothing that it says contradicts.
    pub fn may_be(&self, identity: &Identity) -> bool {
        let of = |known: &Option<String>, said: &Option<String>| {
            known.as_ref().zip(said.as_ref()).map(|(a, b)| a == b)
        };
        of(&self.serial, &identity.serial)
            .or_else(|| of(&self.mac, &identity.mac))
            .unwrap_or_else(|| {
                of(&self.object_id, &identity.object_id).unwrap_or(true)
                    && of(&self.model, &identity.model).unwrap_or(true)
            })
    }

    /// Takes over what it says now; what it does not say stays known.
    pub fn learn(&mut self, identity: &Identity) {
        let take = |known: &mut Option<String>, said: &Option<String>| {
            if said.is_some() && known != said {
                known.clone_from(said);
            }
        };
        take(&mut self.serial, &identity.serial);
        take(&mut self.mac, &identity.mac);
        take(&mut self.object_id, &identity.object_id);
        take(&mut self.model, &identity.model);
    }
}
