"""The CDK application: composes the stacks of one environment (`-c env=dev`); defines no resource."""

from stacks.assets import Assets
from stacks.base import App, NexusStack, check_by_rules
from stacks.canary import CanaryStack
from stacks.catalog import CatalogStack
from stacks.connect import ConnectStack
from stacks.database import DatabaseStack
from stacks.ingest import IngestStack
from stacks.network import NetworkStack
from stacks.observability import ObservabilityStack
from stacks.processing import ProcessingStack
from stacks.settings import Settings
from stacks.storage import StorageStack
from stacks.streaming import StreamingStack


def compose(app: App, settings: Settings, assets: Assets) -> dict[str, NexusStack]:
    """Every stack of the environment, by name, in the order in which they can be deployed."""
    storage = StorageStack(app, settings)
    network = NetworkStack(app, settings)
    database = DatabaseStack(app, settings, assets, network=network)
    catalog = CatalogStack(app, settings, assets, storage=storage)
    streaming = StreamingStack(app, settings, assets, network=network)
    processing = ProcessingStack(app, settings, assets, network=network, storage=storage, database=database)
    ingest = IngestStack(
        app, settings, assets, network=network, storage=storage, catalog=catalog, streaming=streaming
    )
    # a check that is older than its writers would not know the columns of a newer contract
    ingest.add_stack_dependency(processing)
    deployed = [storage, network, database, catalog, streaming, processing, ingest]
    if settings.land.by == "connect":
        deployed.append(
            ConnectStack(
                app, settings, assets, network=network, storage=storage, catalog=catalog, streaming=streaming
            )
        )
    deployed.append(
        CanaryStack(
            app,
            settings,
            assets,
            network=network,
            storage=storage,
            database=database,
            catalog=catalog,
            ingest=ingest,
        )
    )
    stacks: dict[str, NexusStack] = {stack.name: stack for stack in deployed}
    return stacks | {"observability": ObservabilityStack(app, settings, deployed=stacks)}


def main() -> None:
    """What the CDK command line runs."""
    app = App()
    compose(app, Settings.from_process(app.node.try_get_context), Assets())
    check_by_rules(app)
    app.synth()


if __name__ == "__main__":
    main()
