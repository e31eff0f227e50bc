//! What every Nomad plugin answers: who it is, what can be configured, and the configuration.
use driver::{Driver, Kind};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::config::{Place, configure};
use crate::denials::put_back;
use crate::proto::base::base_plugin_server::BasePlugin;
use crate::proto::base::{
    ConfigSchemaRequest, ConfigSchemaResponse, PluginInfoRequest, PluginInfoResponse, PluginType,
    SetConfigRequest, SetConfigResponse,
};
use crate::schema;
use crate::service::blocking;

/// The one version of the driver API there is.
const API: &str = "v0.1.0";

/// The driver as the operator configured it, with the place it keeps its tasks in.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    pub(crate) driver: Driver,
    pub(crate) state_dir: std::path::PathBuf,
}

/// The base service.
#[derive(Debug)]
pub(crate) struct Base {
    kind: Kind,
    place: Place,
    configured: watch::Sender<Option<Configured>>,
}

impl Base {
    pub(crate) fn new(kind: Kind, place: Place) -> Base {
        Base {
            kind,
            place,
            configured: watch::Sender::new(None),
        }
    }

    /// The driver, once it is configured.
    pub(crate) fn driver(&self) -> watch::Receiver<Option<Configured>> {
        self.configured.subscribe()
    }
}

/// Nomad takes a plugin instead of its built-in driver, and the newer of two plugins: above the built-in's 0.1.0, and above the
/// original exec2's 2.0.0.
fn version(kind: Kind) -> &'static str {
    match kind {
        Kind::Exec => "v0.2.0",
        Kind::Exec2 => "v2.0.1",
    }
}

#[tonic::async_trait]
impl BasePlugin for Base {
    async fn plugin_info(
        &self,
        _: Request<PluginInfoRequest>,
    ) -> Result<Response<PluginInfoResponse>, Status> {
        Ok(Response::new(PluginInfoResponse {
            r#type: PluginType::Driver.into(),
            plugin_api_versions: vec![API.to_owned()],
            plugin_version: version(self.kind).to_owned(),
            name: self.kind.name().to_owned(),
        }))
    }

    async fn config_schema(
        &self,
        _: Request<ConfigSchemaRequest>,
    ) -> Result<Response<ConfigSchemaResponse>, Status> {
        Ok(Response::new(ConfigSchemaResponse {
            spec: Some(schema::of(self.kind.operator_options())),
        }))
    }

    async fn set_config(
        &self,
        request: Request<SetConfigRequest>,
    ) -> Result<Response<SetConfigResponse>, Status> {
        let driver = configure(self.kind, request.get_ref(), &self.place)?;
        if let Some(driver) = driver {
            // Not before: an agent's start launches plugins that only say who they are.
            if self.kind == Kind::Exec2 {
                blocking(|| {
                    put_back();
                    Ok(())
                })
                .await?;
            }
            self.configured.send_replace(Some(Configured {
                driver,
                state_dir: self.place.state_dir.clone(),
            }));
        }
        Ok(Response::new(SetConfigResponse {}))
    }
}
