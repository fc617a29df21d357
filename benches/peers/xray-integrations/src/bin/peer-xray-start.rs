//! The start of a program with plugins and without: `[install-instructions|first-instructions] PLUGIN ENDPOINT FOLDER DAEMON`. A
//! process is one start.

use std::path::{Path, PathBuf};

use harness::{Counting, measure_start};
use xray_runtime::{
    AllSampler, BeanstalkPlugin, CloudWatchLogsPlugin, Ec2Plugin, EcsPlugin, EksPlugin, Recorder,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments[0].ends_with("-instructions") {
        arguments.remove(0);
        // The clock is calibrated once in a process, for a time and not for a number of instructions.
        drop(Recorder::builder().build());
    }
    let [plugin, endpoint, folder, daemon] = &arguments[..] else { panic!("PLUGIN ENDPOINT FOLDER DAEMON") };
    let folder = PathBuf::from(folder);
    measure_start(
        || {
            let builder = Recorder::builder().service("bench").daemon_address(daemon).sampler(AllSampler);
            let builder = match plugin.as_str() {
                "none" => builder,
                "ec2" => builder.plugin(Ec2Plugin::with_endpoint(endpoint)),
                "ecs" => builder.plugin(EcsPlugin::with_endpoint(endpoint)),
                "eks" => builder.plugin(eks(endpoint, &folder)),
                "beanstalk" => builder.plugin(beanstalk(&folder)),
                "cloudwatch-logs" => builder.plugin(CloudWatchLogsPlugin::new().group("/services/bench")),
                "all" => builder
                    .plugin(Ec2Plugin::with_endpoint(endpoint))
                    .plugin(beanstalk(&folder))
                    .plugin(eks(endpoint, &folder))
                    .plugin(EcsPlugin::with_endpoint(endpoint))
                    .plugin(CloudWatchLogsPlugin::new().group("/services/bench")),
                _ => panic!("no such plugin: {plugin}"),
            };
            builder.install().expect("the settings are good")
        },
        |recorder| recorder.begin_segment("job").end(),
    )
}

fn eks(endpoint: &str, folder: &Path) -> EksPlugin {
    EksPlugin::new().endpoint(endpoint).service_account(folder)
}

fn beanstalk(folder: &Path) -> BeanstalkPlugin {
    BeanstalkPlugin::with_file(folder.join("environment.conf"))
}
