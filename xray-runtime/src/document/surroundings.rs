//! Where the program runs, as plugins have found it so far.

use std::sync::Arc;

use crate::recorder::Core;

/// What segments say of it.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) origin: Option<String>,
    /// Members of `aws`, each with a comma before it.
    pub(crate) aws: String,
}

/// None where there is nobody who would know.
pub(super) fn surroundings(core: &Core) -> Option<Arc<Surroundings>> {
    #[cfg(feature = "plugins")]
    return core.plugins.as_ref().map(crate::plugin::Lookup::known);
    #[cfg(not(feature = "plugins"))]
    {
        let _ = core;
        None
    }
}
