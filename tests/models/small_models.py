"""Models of the zoo for small images, and any of them without values."""

from flax import nnx

import synflow_jax as sf


def abstract(name, num_classes, input_shape, **options):
    """The model in inference mode as a function of its state, and the state's shapes."""

    def make():
        return sf.models.create(
            name, num_classes=num_classes, input_shape=input_shape, rngs=nnx.Rngs(0), **options
        )

    # Tracing takes time that grows with the square of the number of random keys.
    model = make() if "1202" in name else nnx.eval_shape(make)
    view = nnx.view(model, deterministic=True, use_running_average=True, raise_if_not_found=False)
    graph, state = nnx.split(view)
    return lambda state, x: nnx.merge(graph, state)(x), state


def small(name, shape=(32, 32, 3), classes=10, **options):
    return sf.models.create(
        name, num_classes=classes, input_shape=shape, rngs=nnx.Rngs(0), **options
    )
